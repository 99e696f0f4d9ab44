"""Jobs that are cancelled, retried, or requested twice."""

from datetime import timedelta

import pytest

from bento_service.catalogue.jobs.records import Claim, NewFile, Outcome
from bento_service.catalogue.records import Computed
from bento_service.errors import Conflict
from bento_service.ingest.retrying import retry_job
from tests.ingest.changes.parts import paths
from tests.support.ingesting import colours, counted
from tests.support.job_files import todo
from tests.support.pictures import png


@pytest.fixture
def retry(ingest):
    """Retry a job, work until the end, and return the new job."""

    def again(job):
        new = retry_job(ingest.catalogue, ingest.uploads, Computed((ingest.cats.space,)), job.id)
        ingest.work()
        return ingest.job(new)

    return again


def test_a_retry_of_a_manifest_repeats_failures_but_not_refusals(ingest, run, write, follow, retry):
    write({"a.png": png("red"), "old.png": png("blue")})
    run("old.png")
    job = follow(
        {"path": "a.png"},
        {"oops": 1},
        {"path": "late.png", "metadata": {"turn": 2}},
        {"op": "delete", "path": "late.png"},
        {"op": "delete", "path": "old.png"},
    )
    assert (counted(job), job.removed) == (("completed", 4, 4, 1, 0, 3), 1)
    write({"late.png": png("green")})
    again = retry(job)
    assert (counted(again), again.removed) == (("completed", 1, 1, 1, 0, 0), 1)
    assert paths(ingest) == ["a.png"]


def test_a_manifest_with_only_refused_lines_has_nothing_to_retry(follow, retry):
    job = follow({"oops": 1}, {"path": "../b.png"})
    with pytest.raises(Conflict, match="nothing to retry"):
        retry(job)


def test_a_retry_continues_a_manifest_that_was_canceled_during_reading(ingest, write, start, retry):
    write({f"{n}.png": png(colour) for n, colour in enumerate(colours(3))})
    job = start({"path": "0.png"}, {"oops": 1}, {"path": "1.png"}, {"path": "2.png"})
    (ingest.pictures / "l.json").unlink()
    some = list(ingest.lists().of(ingest.job(job)))[:3]
    ingest.catalogue.jobs.add_files(job.number, some)
    first, _ = todo(ingest.catalogue, job)
    ingest.catalogue.jobs.settle(job, [Outcome(first, code="path_not_found", detail="why")])
    ingest.catalogue.job_control.cancel(job.id)
    ingest.uploads.discard(set(ingest.uploads.blobs.stored()))
    again = retry(job)
    assert counted(again) == ("completed", 3, 3, 3, 0, 0)
    assert paths(ingest) == ["0.png", "1.png", "2.png"]


def test_an_unfinished_manifest_expires(ingest, start, retry):
    job = start({"path": "0.png"})
    ingest.catalogue.job_control.cancel(job.id)
    ingest.retriable = timedelta(0)
    ingest.uploads.discard(set(ingest.uploads.blobs.stored()))
    assert list(ingest.uploads.blobs.stored()) == []
    with pytest.raises(Conflict, match="have expired"):
        retry(job)


def test_canceling_a_manifest_stops_its_reading(ingest, start):
    job = start(*({"path": f"{n}.png"} for n in range(3)))
    begun = ingest.lists().of(ingest.job(job))
    ingest.catalogue.jobs.add_files(job.number, [next(begun)])
    ingest.catalogue.job_control.cancel(job.id)
    assert not ingest.catalogue.jobs.add_files(job.number, list(begun))
    ended = ingest.job(job)
    assert (ended.total, ended.walked, ended.state.value) == (1, False, "canceled")


@pytest.fixture
def cancel_pruning(ingest, write, monkeypatch):
    """A pruning job of a folder with a lost and a kept file, canceled when it looks for the lost.

    So that its folder can be lost too, the root holds something else.
    """
    write({"in/lost.png": png("red"), "in/kept.png": png("green"), "other.png": png("blue")})
    ingest.train()
    ingest.work()
    (ingest.pictures / "in/lost.png").unlink()
    job = ingest.train("in", prune=True)
    presences = ingest.roots.presences

    def look(root, files):
        ingest.catalogue.job_control.cancel(job.id)
        return presences(root, files)

    with monkeypatch.context() as patched:
        patched.setattr(ingest.roots, "presences", look)
        ingest.work()
    return ingest.job(job)


def test_a_canceled_pruning_removes_nothing_more(ingest, cancel_pruning):
    assert (cancel_pruning.state.value, cancel_pruning.detail) == ("canceled", "canceled")
    assert cancel_pruning.removed == 0
    assert paths(ingest) == ["in/kept.png", "in/lost.png", "other.png"]


def test_a_retry_of_a_pruning_prunes(ingest, cancel_pruning, retry):
    again = retry(cancel_pruning)
    assert (again.state.value, again.total, again.removed) == ("completed", 0, 1)
    assert paths(ingest) == ["in/kept.png", "other.png"]


def test_a_retry_of_a_pruning_deletes_nothing_of_a_lost_folder(ingest, cancel_pruning, retry):
    (ingest.pictures / "in/kept.png").unlink()
    assert "no file was found" in retry(cancel_pruning).detail
    (ingest.pictures / "in").rmdir()
    assert retry(cancel_pruning).state.value == "failed"
    assert paths(ingest) == ["in/kept.png", "in/lost.png", "other.png"]


def test_a_canceled_dry_run_counts_nothing_more(ingest, write):
    write({"a.png": png("red")})
    job = ingest.train(dry_run=True)
    ingest.catalogue.jobs.add_files(job.number, [NewFile("a.png", "a.png")])
    (file,) = todo(ingest.catalogue, job)
    ingest.catalogue.job_control.cancel(job.id)
    ingest.catalogue.jobs.settle(job, [Outcome(file, checked_sha256="f" * 64)])
    assert counted(ingest.job(job)) == ("canceled", 1, 0, 0, 0, 0)


def test_a_manifest_with_a_used_key_returns_the_earlier_job(ingest, start):
    claim = Claim("order 17", "asked")
    job = start({"path": "0.png"}, claim=claim)
    ingest.work()
    assert start({"path": "1.png"}, claim=claim).id == job.id  # it changed; the call is the same
    with pytest.raises(Conflict, match="order 17"):
        start({"path": "2.png"}, claim=Claim("order 17", "another"))
    assert list(ingest.uploads.blobs.stored()) == []
    assert ingest.catalogue.jobs.open() == []
