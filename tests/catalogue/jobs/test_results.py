import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from bento_service.catalogue.jobs.records import Outcome
from tests.support.job_files import todo


@contextmanager
def counted_statements():
    """Note the statements that this thread executes within the block.

    The services that other tests leave running execute their own in other threads.
    """
    sent, this = [], threading.get_ident()

    def note(connection, cursor, statement, parameters, context, executemany):
        if threading.get_ident() == this:
            sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def files_of(catalogue, cats, folder_job):
    """Make a job over these paths; the job and its files."""

    def make(*paths):
        job = folder_job(cats, *paths)
        return job, todo(catalogue, job)

    return make


def paths_by_image(catalogue, collection):
    images = catalogue.images.page(collection.id, limit=1000)
    return [[source.path for source in image.sources] for image in images]


def test_the_number_of_statements_does_not_grow_with_the_files(catalogue, files_of, described):
    lengths = []
    for number in (3, 30):
        job, files = files_of(*(f"{number}/{n}" for n in range(number)))
        bad, *good = files
        outcomes = [Outcome(one, described=described(one.path)) for one in good]
        with counted_statements() as sent:
            settled = catalogue.jobs.settle(job, [Outcome(bad, code="x", detail=""), *outcomes])
        assert (settled.indexed, settled.failed) == (number - 1, 1)
        lengths.append(len(sent))
    assert lengths[0] == lengths[1]


def test_images_are_numbered_in_the_order_of_their_files(catalogue, cats, files_of, described):
    paths = [f"{n:02}" for n in range(40)]
    job, files = files_of(*paths)
    catalogue.jobs.settle(job, [Outcome(one, described=described(one.path)) for one in files])
    assert paths_by_image(catalogue, cats) == [[path] for path in paths]


def test_every_image_keeps_its_own_descriptor_and_facts(catalogue, cats, files_of, described):
    job, files = files_of("a", "b", "c")
    axes = {"a": (1, 0, 0, 0), "b": (0, 1, 0, 0), "c": (0, 0, 1, 0)}
    catalogue.jobs.settle(
        job, [Outcome(one, described=described(one.path, axes[one.path])) for one in files]
    )
    for image in catalogue.images.page(cats.id, limit=10):
        (source,) = image.sources
        assert image.sha256 == described(source.path).sha256
        assert tuple(catalogue.images.descriptor(image.id, cats.index.id)) == axes[source.path]


def test_one_commit_can_have_every_kind_of_outcome(
    catalogue, cats, add, files_of, described, digest
):
    add(cats, "old")
    job, files = files_of("1 old", "2 new", "3 new", "4 bad", "5 gone", "6 new", "7 old")
    old, new, again, bad, gone, known, described_old = files
    settled = catalogue.jobs.settle(
        job,
        [
            Outcome(old, known_sha256=digest("old")),
            Outcome(new, described=described("new")),
            Outcome(again, described=described("new")),
            Outcome(bad, code="image_unreadable", detail="torn"),
            Outcome(gone, known_sha256=digest("gone")),
            Outcome(known, known_sha256=digest("new")),
            Outcome(described_old, described=described("old")),
        ],
    )
    assert (settled.indexed, settled.duplicates, settled.failed) == (1, 4, 1)
    assert todo(catalogue, job) == [gone]
    (failure,) = catalogue.jobs.failures(job.number, after=0, limit=10)
    assert (failure.path, failure.code, failure.detail) == ("4 bad", "image_unreadable", "torn")
    assert [paths[-3:] for paths in paths_by_image(catalogue, cats)] == [
        ["old", "1 old", "7 old"],
        ["2 new", "3 new", "6 new"],
    ]
