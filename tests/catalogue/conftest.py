import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine

from bento_service.catalogue import Catalogue
from bento_service.catalogue.columns import metadata
from bento_service.catalogue.jobs.records import Described, NewFile, NewJob, Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from tests.support.catalogues import sqlite_catalogue
from tests.support.job_files import todo

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


@pytest.fixture
def space() -> DescriptorSpace:
    return SPACE


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return an empty catalogue's URL, in each database that the service can use."""
    if request.param == "sqlite":
        return sqlite_catalogue(tmp_path / "data" / "catalogue.db")
    server: str = request.getfixturevalue("postgresql")
    engine = create_engine(server)  # emptied, since making a new database takes half a second
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()
    return server


@pytest.fixture
def catalogue(url: str) -> Iterator[Catalogue]:
    with Catalogue.open(url) as opened:
        yield opened


@pytest.fixture
def cats(catalogue: Catalogue):
    """Return the collection `cats`."""
    return catalogue.collections.create("cats", SPACE)


@pytest.fixture
def digest():
    """Return the digest of a picture that only has a name."""
    return lambda name: hashlib.sha256(os.fsencode(name)).hexdigest()


@pytest.fixture
def described(digest):
    """A picture ready to be committed, the same for the same name."""

    def make(name: str, descriptor=(1.0, 0.0, 0.0, 0.0)) -> Described:
        components = np.array(descriptor, np.float32)
        return Described(digest(name), "PNG", 20, 10, 99, {SPACE.fingerprint: components})

    return make


@pytest.fixture
def folder_job(catalogue: Catalogue):
    """Make a job whose walk has listed these paths; `walked=False` leaves the walk open."""

    def make(collection, *paths: str, walked: bool = True, **values: object):
        job = catalogue.jobs.create(
            collection.id, collection.name, NewJob(SourceKind.FILE, root="pictures", **values)
        )
        if paths:
            catalogue.jobs.add_files(job.number, [NewFile(path, path) for path in paths])
        if walked:
            catalogue.jobs.finish_walk(job.number)
        return catalogue.jobs.get(job.id)

    return make


@pytest.fixture
def upload_job(catalogue: Catalogue, digest):
    """Make a job of uploaded pictures with these names."""

    def make(collection, *names: str):
        files = tuple(
            NewFile(str(number), name, digest(name)) for number, name in enumerate(names, start=1)
        )
        job = NewJob(SourceKind.UPLOAD, files=files)
        return catalogue.jobs.create(collection.id, collection.name, job)

    return make


@pytest.fixture
def settle_all(catalogue: Catalogue, described):
    """Describe every file of a job that is to do; pictures differ if their paths do."""

    def settle(job, same_as: dict[str, str] | None = None):
        files = todo(catalogue, job)
        names = {file.path: (same_as or {}).get(file.path, file.path) for file in files}
        outcomes = [Outcome(file, described=described(names[file.path])) for file in files]
        return catalogue.jobs.settle(job, outcomes)

    return settle


@pytest.fixture
def add(folder_job, settle_all, catalogue: Catalogue, digest):
    """Put pictures with these names into a collection; their ids."""

    def images(collection, *names: str) -> list[int]:
        settle_all(folder_job(collection, *names))
        found = catalogue.images.page(collection.id, limit=10_000)
        ids = {image.sha256: image.id for image in found}
        return [ids[digest(name)] for name in names]

    return images


@pytest.fixture
def ids(catalogue: Catalogue):
    """Ids of the living images of a collection."""
    return lambda collection: [
        image.id for image in catalogue.images.page(collection.id, limit=10_000)
    ]
