"""Uploads that start jobs, with a real catalogue and real storage."""

import io
from datetime import UTC, datetime

import pytest

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.ingest.starting.upload_jobs import Sent, UploadJobs
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.uploads import Uploads
from tests.ingest.starting.archives import LIMITS
from tests.support.catalogues import sqlite_catalogue
from tests.support.job_files import todo

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


class Receiver:
    """Starts jobs of uploads, and shows what they store and refuse."""

    def __init__(self, folder):
        self.folder = folder / "uploads"
        self.catalogue = Catalogue.open(sqlite_catalogue(folder / "catalogue.db"))
        self.use(FolderBlobStore(self.folder))

    def use(self, blobs):
        self.uploads = Uploads(blobs, self.catalogue.upload_pins, unneeded=self.unneeded)

    def send(self, *contents, limits=LIMITS, claim=None, batch=None):
        jobs = UploadJobs(self.catalogue, self.uploads, Computed((SPACE,)), limits)
        sent = [Sent(f"sent-{n}", io.BytesIO(data)) for n, data in enumerate(contents)]
        return jobs.start(sent, "cats", {}, claim, batch=batch)

    def unneeded(self, digests):
        return self.catalogue.upload_references.unneeded(digests, ended_after=datetime.now(UTC))

    def listed(self, job):
        """Return the stored bytes by path."""
        contents = {}
        for file in todo(self.catalogue, job):
            with self.uploads.blobs.open(file.sha256) as stored:
                contents[file.path] = stored.read()
        return contents

    def refused(self, job):
        failures = self.catalogue.jobs.failures(job.number, after=0, limit=100)
        return {failure.path: failure.code for failure in failures}

    def on_disk(self):
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def receiver(tmp_path):
    made = Receiver(tmp_path)
    with made.catalogue:
        yield made
