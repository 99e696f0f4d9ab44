"""Fixtures of indexes."""

import pytest

from bento_service.catalogue.jobs.records import Described, Outcome
from tests.catalogue.index_lifecycle.spaces import NEW_VECTOR, OLD_VECTOR, OTHER
from tests.support.job_files import todo


@pytest.fixture
def both(digest, space):
    """A picture described in two spaces; `None` leaves one out."""

    def make(name, *, old=OLD_VECTOR, new=NEW_VECTOR):
        given = {space.fingerprint: old, OTHER.fingerprint: new}
        descriptors = {print_: vector for print_, vector in given.items() if vector is not None}
        return Described(digest(name), "PNG", 20, 10, 99, descriptors)

    return make


@pytest.fixture
def begin(catalogue):
    """Begin a reindex, and list its files as the walk does."""

    def make(collection, space=OTHER, *, drop_missing=False):
        job_id = catalogue.reindexes.begin(collection, space, drop_missing=drop_missing)
        job = catalogue.jobs.get(job_id)
        files = list(catalogue.reindexes.files(job.number))
        if files:
            catalogue.jobs.add_files(job.number, files)
        catalogue.jobs.finish_walk(job.number)
        return catalogue.jobs.get(job_id)

    return make


@pytest.fixture
def describe_again(catalogue, both):
    """Settle every file of a reindex, except those that are missing."""

    def settle(job, missing=()):
        files = todo(catalogue, job)
        outcomes = [
            Outcome(file, code="path_not_found", detail="gone")
            if file.path in missing
            else Outcome(file, described=both(file.path))
            for file in files
        ]
        return catalogue.jobs.settle(job, outcomes)

    return settle


@pytest.fixture
def reindexed(catalogue, begin, describe_again):
    """Bring a collection to the other space."""

    def bring(collection, space=OTHER):
        job = begin(collection, space)
        describe_again(job)
        (index,) = catalogue.reindexes.due()
        assert catalogue.reindexes.switch(index)
        return catalogue.jobs.get(job.id)

    return bring
