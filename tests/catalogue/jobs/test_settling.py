"""Outcomes of a job's files."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Outcome
from bento_service.errors import CollectionNotFound
from client_sdk.schemas import JobState
from tests.catalogue.jobs.counting import counted, failed
from tests.support.job_files import todo


def test_every_file_is_counted_once_by_its_outcome(catalogue, cats, folder_job, described):
    job = folder_job(cats, "new", "same", "bad", "more")
    new, same, bad, more = todo(catalogue, job)
    settled = catalogue.jobs.settle(
        job,
        [
            Outcome(new, described=described("tom")),
            Outcome(same, described=described("tom")),
            failed(bad),
        ],
    )
    assert (settled.indexed, settled.duplicates, settled.failed) == (1, 1, 1)
    now = catalogue.jobs.get(job.id)
    assert counted(now) == (4, 3, 1, 1, 1)
    assert now.done == now.indexed + now.duplicates + now.failed
    assert todo(catalogue, job) == [more]


def test_failures_are_listed_with_their_reasons(catalogue, cats, folder_job):
    job = folder_job(cats, *"abc")
    a, _, c = todo(catalogue, job)
    catalogue.jobs.settle(job, [failed(c, "too_large"), failed(a)])
    failures = catalogue.jobs.failures(job.number, after=0, limit=10)
    assert [(one.path, one.code, one.detail) for one in failures] == [
        ("a", "image_unreadable", "why"),
        ("c", "too_large", "why"),
    ]
    assert catalogue.jobs.failures(job.number, after=failures[0].id, limit=10) == failures[1:]
    assert catalogue.jobs.failures(job.number, after=0, limit=1) == failures[:1]


def test_pages_of_failures_are_complete_while_more_files_fail(catalogue, cats, folder_job):
    job = folder_job(cats, *"abcdef")
    files = todo(catalogue, job)
    seen, after = [], 0
    for at in range(0, 6, 2):
        catalogue.jobs.settle(job, [failed(file) for file in files[at : at + 2]])
        page = catalogue.jobs.failures(job.number, after=after, limit=1)
        seen += page
        after = page[-1].id
    seen += catalogue.jobs.failures(job.number, after=after, limit=10)
    assert [one.path for one in seen] == list("abcdef")


def test_a_job_is_completed_when_its_walk_and_all_files_are_done(
    catalogue, cats, folder_job, settle_all
):
    job = folder_job(cats, "a", "b", walked=False)
    settle_all(job)
    assert catalogue.jobs.get(job.id).state is not JobState.COMPLETED  # the walk may bring more
    catalogue.jobs.finish_walk(job.number)
    now = catalogue.jobs.get(job.id)
    assert now.state is JobState.COMPLETED
    assert now.created_at <= now.started_at <= now.finished_at


def test_a_job_is_not_completed_before_its_last_file(catalogue, cats, folder_job, described):
    job = folder_job(cats, "a", "b")
    a, b = todo(catalogue, job)
    catalogue.jobs.settle(job, [failed(a)])
    assert catalogue.jobs.get(job.id).state is not JobState.COMPLETED
    catalogue.jobs.settle(job, [Outcome(b, described=described("b"))])
    assert catalogue.jobs.get(job.id).state is JobState.COMPLETED


def test_a_job_of_bad_files_alone_is_completed(catalogue, cats, folder_job):
    job = folder_job(cats, "a")
    catalogue.jobs.settle(job, [failed(file) for file in todo(catalogue, job)])
    assert catalogue.jobs.get(job.id).state is JobState.COMPLETED


def test_an_empty_folder_is_completed_at_once(catalogue, cats, folder_job):
    assert folder_job(cats).state is JobState.COMPLETED


def test_a_failed_job_stays_failed(catalogue, cats, folder_job, settle_all):
    job = folder_job(cats, "a", walked=False)
    catalogue.jobs.fail(job.number, "the folder has gone")
    settle_all(job)
    catalogue.jobs.finish_walk(job.number)
    catalogue.jobs.fail(job.number, "again")
    now = catalogue.jobs.get(job.id)
    assert (now.state, now.detail) == (JobState.FAILED, "the folder has gone")


def test_a_completed_job_cannot_fail(catalogue, cats, folder_job, settle_all):
    job = folder_job(cats, "a")
    settle_all(job)
    catalogue.jobs.fail(job.number, "too late")
    assert catalogue.jobs.get(job.id).state is JobState.COMPLETED


def test_settling_the_same_files_again_changes_nothing(catalogue, cats, folder_job, described):
    job = folder_job(cats, "a", "b", "c")
    a, b, c = todo(catalogue, job)
    outcomes = [Outcome(a, described=described("a")), failed(b)]
    catalogue.jobs.settle(job, outcomes)
    before = catalogue.jobs.get(job.id)
    settled = catalogue.jobs.settle(job, outcomes)
    assert (settled.indexed, settled.duplicates, settled.failed) == (0, 0, 0)
    assert catalogue.jobs.get(job.id) == before
    assert catalogue.images.count(cats.id) == 1
    assert todo(catalogue, job) == [c]


def test_settling_is_all_or_nothing(catalogue, cats, folder_job, described):
    job = folder_job(cats, "a", "b")
    a, b = todo(catalogue, job)
    before = (catalogue.jobs.get(job.id), catalogue.collections.named("cats"))
    unstorable = replace(described("b"), format=None)
    with pytest.raises(IntegrityError):
        catalogue.jobs.settle(
            job, [Outcome(a, described=described("a")), Outcome(b, described=unstorable)]
        )
    assert (catalogue.jobs.get(job.id), catalogue.collections.named("cats")) == before
    assert todo(catalogue, job) == [a, b]
    assert catalogue.images.count(cats.id) == 0


def test_settling_for_a_deleted_collection_is_an_error(catalogue, cats, folder_job, described):
    job = folder_job(cats, "a")
    outcomes = [Outcome(file, described=described("a")) for file in todo(catalogue, job)]
    catalogue.collections.delete(cats.id)
    with pytest.raises(CollectionNotFound):
        catalogue.jobs.settle(job, outcomes)
    with pytest.raises(CollectionNotFound, match="'cats'"):
        catalogue.jobs.settle(catalogue.jobs.get(job.id), outcomes)


def test_known_bytes_become_a_source_of_their_image(
    catalogue, cats, folder_job, settle_all, digest
):
    settle_all(folder_job(cats, "first"), same_as={"first": "tom"})
    job = folder_job(cats, "second")
    (file,) = todo(catalogue, job)
    settled = catalogue.jobs.settle(job, [Outcome(file, known_sha256=digest("tom"))])
    assert settled.duplicates == 1
    (image,) = catalogue.images.page(cats.id, limit=2)
    assert [source.path for source in image.sources] == ["first", "second"]


def test_known_bytes_that_were_deleted_meanwhile_are_to_do_again(
    catalogue, cats, add, folder_job, digest, described
):
    ids = add(cats, "tom")
    job = folder_job(cats, "again")
    (file,) = todo(catalogue, job)
    catalogue.images.delete(cats.id, ids)
    settled = catalogue.jobs.settle(job, [Outcome(file, known_sha256=digest("tom"))])
    assert (settled.indexed, settled.duplicates, settled.failed) == (0, 0, 0)
    assert todo(catalogue, job) == [file]
    assert catalogue.jobs.get(job.id).state is not JobState.COMPLETED
    catalogue.jobs.settle(job, [Outcome(file, described=described("tom"))])
    assert counted(catalogue.jobs.get(job.id)) == (1, 1, 1, 0, 0)


def test_a_batch_raises_the_revision_once(catalogue, cats, add):
    add(cats, *"abc")
    assert catalogue.collections.named("cats").index.revision == 1
    changes = catalogue.changes.page(cats.index.id, after=(0, 0), limit=10)
    assert [change.revision for change in changes] == [1, 1, 1]


def test_metadata_of_a_job_goes_to_every_new_image(catalogue, cats, folder_job, settle_all):
    settle_all(folder_job(cats, "a", "b", metadata={"album": "été"}))
    found = catalogue.images.page(cats.id, limit=10)
    assert [image.metadata for image in found] == [{"album": "été"}] * 2


def test_settled_files_are_visible_to_others_at_once(cats, folder_job, settle_all, url):
    settle_all(folder_job(cats, "a"))
    with Catalogue.open(url) as other:
        assert other.images.count(cats.id) == 1
