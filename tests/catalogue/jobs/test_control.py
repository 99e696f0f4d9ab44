import threading

import pytest

from bento_service.catalogue.jobs.records import NewFile, Outcome
from bento_service.errors import Conflict, JobNotFound
from client_sdk.schemas import JobState
from tests.support.job_files import todo
from tests.support.waiting import join, run_threads


def counted(job):
    return (job.total, job.done, job.indexed, job.duplicates, job.failed)


@pytest.fixture
def fail(catalogue):
    """Settle the files of a job with these paths as failed."""

    def settle(job, *paths):
        files = [file for file in todo(catalogue, job) if file.path in paths]
        outcomes = [Outcome(file, code="image_unreadable", detail="torn") for file in files]
        catalogue.jobs.settle(job, outcomes)

    return settle


@pytest.fixture
def retry(catalogue):
    """Retry a job as it is now."""
    return lambda job: catalogue.jobs.get(catalogue.job_control.retry(catalogue.jobs.get(job.id)))


# Canceling


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_canceled_job_is_ended_and_keeps_its_counters(
    has_begun, catalogue, cats, folder_job, fail
):
    job = folder_job(cats, *"abc", walked=False)
    if has_begun:
        catalogue.jobs.start(job.number)
    fail(job, "a")
    catalogue.job_control.cancel(job.id)
    ended = catalogue.jobs.get(job.id)
    assert (ended.state, ended.detail) == (JobState.CANCELED, "canceled")
    assert counted(ended) == (3, 1, 0, 0, 1)
    assert ended.started_at <= ended.finished_at
    assert catalogue.jobs.open() == []
    catalogue.job_control.cancel(job.id)
    assert catalogue.jobs.get(job.id) == ended


def test_nothing_is_committed_after_a_job_was_canceled(
    catalogue, cats, folder_job, described, settle_all
):
    job = folder_job(cats, *"abc", walked=False)
    outcomes = [Outcome(file, described=described(file.path)) for file in todo(catalogue, job)]
    catalogue.job_control.cancel(job.id)
    before = catalogue.jobs.get(job.id)
    settled = catalogue.jobs.settle(job, outcomes)
    assert (settled.indexed, settled.duplicates, settled.failed) == (0, 0, 0)
    assert not catalogue.jobs.add_files(job.number, [NewFile("d", "d")])
    catalogue.jobs.finish_walk(job.number)
    assert catalogue.jobs.get(job.id) == before
    assert catalogue.images.count(cats.id) == 0
    assert todo(catalogue, job) == []  # the worker reads them no more


def test_a_finished_job_cannot_be_canceled(catalogue, cats, folder_job, settle_all):
    done, broken = folder_job(cats, "a"), folder_job(cats, "b")
    settle_all(done)
    catalogue.jobs.fail(broken.number, "lost")
    for job, state in ((done, "completed"), (broken, "failed")):
        before = catalogue.jobs.get(job.id)
        with pytest.raises(Conflict, match=f"is {state} already"):
            catalogue.job_control.cancel(job.id)
        assert catalogue.jobs.get(job.id) == before
    with pytest.raises(JobNotFound):
        catalogue.job_control.cancel("nope")


def test_canceling_during_commits_leaves_correct_counters(catalogue, cats, folder_job, described):
    job = folder_job(cats, *(str(n) for n in range(300)))
    files = todo(catalogue, job)
    seen = []
    began, canceled = threading.Event(), threading.Event()

    def commit():
        for at in range(0, 300, 4):
            if at == 280:  # a busy machine must not get to the end before it is canceled
                assert canceled.wait(60)
            some = [Outcome(f, described=described(f.path)) for f in files[at : at + 4]]
            catalogue.jobs.settle(job, some)
            seen.append(catalogue.jobs.get(job.id))
            if at == 40:
                began.set()

    thread = threading.Thread(target=commit)
    thread.start()
    assert began.wait(60)
    catalogue.job_control.cancel(job.id)
    at_once = catalogue.jobs.get(job.id)
    canceled.set()
    join(thread)
    ended = catalogue.jobs.get(job.id)
    assert ended == at_once
    assert 44 <= ended.done < 300
    assert ended.done == ended.indexed == catalogue.images.count(cats.id)
    dones = [job.done for job in seen]
    assert dones == sorted(dones)


# Retrying


def test_a_retry_of_a_finished_job_has_the_failed_files(catalogue, cats, upload_job, fail, retry):
    job = upload_job(cats, "a.png", "b.png", "c.png")
    first = {file.path: file.sha256 for file in todo(catalogue, job)}
    fail(job, "a.png", "c.png")
    with pytest.raises(Conflict, match="is pending; wait for its end"):
        retry(job)
    catalogue.jobs.settle(
        job, [Outcome(file, code="path_not_found", detail="") for file in todo(catalogue, job)]
    )
    again = retry(job)
    assert (again.retry_of, again.state, again.walked) == (job.id, JobState.PENDING, True)
    assert counted(again) == (3, 0, 0, 0, 0)
    assert {file.path: file.sha256 for file in todo(catalogue, again)} == first
    assert counted(catalogue.jobs.get(job.id)) == (3, 3, 0, 0, 3)  # as it was
    assert again.created_at > job.created_at


def test_a_retry_leaves_out_successful_files(catalogue, cats, folder_job, described, fail, retry):
    job = folder_job(cats, *"abcd", ignore=("*.gif",), metadata={"x": 1}, recursive=False)
    a, *_ = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(a, described=described("a"))])
    fail(job, *"bcd")
    again = retry(job)
    assert [file.path for file in todo(catalogue, again)] == ["b", "c", "d"]
    kept = ("collection_id", "kind", "root", "path", "recursive", "ignore", "metadata")
    assert [getattr(again, name) for name in kept] == [getattr(job, name) for name in kept]


def test_a_retry_of_a_canceled_job_has_failed_and_unreached_files(
    catalogue, cats, folder_job, described, fail, retry
):
    job = folder_job(cats, *"abcd")
    a, *_ = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(a, described=described("a"))])
    fail(job, "c")
    catalogue.job_control.cancel(job.id)
    again = retry(job)
    assert [file.path for file in todo(catalogue, again)] == ["b", "c", "d"]
    assert again.walked


def test_a_retry_walks_again_if_the_walk_was_not_finished(
    catalogue, cats, folder_job, described, settle_all, fail, retry
):
    job = folder_job(cats, *"abc", walked=False)
    a, *_ = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(a, described=described("a"))])
    fail(job, "b")
    catalogue.job_control.cancel(job.id)
    again = retry(job)
    assert not again.walked
    catalogue.jobs.add_files(again.number, [NewFile(path, path) for path in "abcde"])
    assert [file.path for file in todo(catalogue, again)] == ["b", "c", "d", "e"]
    assert catalogue.jobs.get(again.id).total == 4
    files = {file.path: file for file in todo(catalogue, again)}
    catalogue.jobs.settle(again, [Outcome(files["d"], described=described("d"))])
    catalogue.job_control.cancel(again.id)
    third = retry(again)
    catalogue.jobs.add_files(third.number, [NewFile(path, path) for path in "abcdef"])
    assert [file.path for file in todo(catalogue, third)] == ["b", "c", "e", "f"]


def test_a_retry_that_walks_again_may_find_nothing_new(
    catalogue, cats, folder_job, settle_all, retry
):
    job = folder_job(cats, "a", walked=False)
    settle_all(job)
    catalogue.jobs.fail(job.number, "the folder cannot be read")
    again = retry(job)
    assert catalogue.jobs.add_files(again.number, [NewFile("a", "a")])
    catalogue.jobs.finish_walk(again.number)
    ended = catalogue.jobs.get(again.id)
    assert (ended.state, counted(ended)) == (JobState.COMPLETED, (0, 0, 0, 0, 0))


def test_a_job_without_failures_cannot_be_retried(catalogue, cats, folder_job, settle_all, retry):
    job = folder_job(cats, "a")
    settle_all(job)
    with pytest.raises(Conflict, match="nothing to retry"):
        retry(job)


def test_a_job_has_one_open_retry_at_a_time(catalogue, cats, folder_job, fail, retry):
    job = folder_job(cats, "a")
    fail(job, "a")
    together, made, refused = threading.Barrier(4), [], []

    def ask():
        together.wait(60)
        try:
            made.append(retry(job))
        except Conflict as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    run_threads(*threads)
    (again,) = made
    assert len(refused) == 3
    assert all(f"job {again.id} retries" in text for text in refused)
    fail(again, "a")
    assert retry(job).retry_of == job.id  # the first retry has ended
