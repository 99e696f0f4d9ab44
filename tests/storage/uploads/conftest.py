"""Fixtures of uploads."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import NewFile, NewJob
from bento_service.catalogue.states import SourceKind
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.uploads import Uploads
from tests.storage.uploads.replicas import SPACE, streams
from tests.support.catalogues import sqlite_catalogue


class Replica:
    """A process that uses a catalogue and a store, which others use too."""

    def __init__(self, catalogue, blobs, **options):
        self.catalogue = catalogue
        self.blobs = blobs
        self.uploads = Uploads(blobs, catalogue.upload_pins, unneeded=self.unneeded, **options)
        self.cats = catalogue.collections.ensure("cats", SPACE)

    def unneeded(self, digests):
        return self.catalogue.upload_references.unneeded(digests, ended_after=datetime.now(UTC))

    def send(self, *contents):
        """Store contents, and create their job."""
        with self.uploads.intake() as intake:
            digests = [intake.add(stream) for stream in streams(*contents)]
            intake.finish()
            return self.create(digests, intake.holder)

    def create(self, digests, holder):
        files = tuple(NewFile(str(n), f"{n}.png", sha256) for n, sha256 in enumerate(digests))
        job = NewJob(SourceKind.UPLOAD, files=files)
        return self.catalogue.jobs.create(self.cats.id, "cats", job, holder=holder)

    def cancel(self, job):
        """Let nothing need the uploads of a job any more."""
        self.catalogue.job_control.cancel(job.id)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return sqlite_catalogue(tmp_path / "catalogue.db")
    return request.getfixturevalue("new_postgresql_database")()


@pytest.fixture
def new_replica(url, tmp_path):
    """Yield a function that makes replicas over one catalogue and one folder."""
    opened = []

    def make(blobs=None, **options):
        opened.append(Catalogue.open(url))
        return Replica(opened[-1], blobs or FolderBlobStore(tmp_path / "uploads"), **options)

    yield make
    for catalogue in opened:
        catalogue.__exit__()


@pytest.fixture
def replica(new_replica):
    return new_replica()


@pytest.fixture
def uploads(replica):
    return replica.uploads


@pytest.fixture
def expire(replica):
    """Let pins or claims be older than a process lives without a sign."""

    def make(table):
        past = datetime.now(UTC) - timedelta(seconds=1)
        replica.catalogue.database.write(update(table).values(expires_at=past))

    return make
