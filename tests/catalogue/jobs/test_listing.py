"""Lists of jobs with what is known already, and what goes from them, in each database."""

from datetime import UTC, datetime, timedelta

import pytest

from bento_service.admin.needed import queued_uploads
from bento_service.catalogue.jobs.records import NewFile, NewJob, Outcome, Reading
from bento_service.catalogue.records import Stamp
from bento_service.catalogue.states import FileAction, SourceKind
from client_sdk.schemas import JobState
from tests.support.job_files import todo

SIZE = 99  # of every described picture


@pytest.fixture
def known(catalogue, cats, folder_job, described):
    """Put files with these times into the collection."""

    def make(**times):
        job = folder_job(cats, *times)
        files = todo(catalogue, job)
        readings = {path: Reading(2 * 10**18, 0, time) for path, time in times.items()}
        catalogue.jobs.settle(
            job, [Outcome(f, described(f.path), reading=readings[f.path]) for f in files]
        )

    return make


@pytest.fixture
def listed(catalogue, cats):
    """A job with these files on its list, as a walk finds them."""

    def make(root="pictures", size=SIZE, times=None, **options):
        new = NewJob(SourceKind.FILE, root=root, **options)
        job = catalogue.jobs.create(cats.id, "cats", new)
        files = [NewFile(path, path, stamp=Stamp(size, at)) for path, at in times.items()]
        catalogue.jobs.add_files(job.number, files)
        catalogue.jobs.finish_walk(job.number)
        return catalogue.jobs.get(job.id)

    return make


def unneeded(catalogue, digests, ended_after=None):
    """Return the unneeded uploads; by default, none are kept for retries."""
    after = ended_after or datetime.now(UTC)
    return catalogue.upload_references.unneeded(digests, ended_after=after)


def left(catalogue, job):
    return [file.path for file in todo(catalogue, job)]


def test_only_a_file_of_the_same_size_and_time_is_unchanged(catalogue, known, listed):
    known(a=1, b=2, c=None)
    job = listed(times={"a": 1, "b": 3, "c": 4, "d": 5})
    assert left(catalogue, job) == ["b", "c", "d"]
    assert (job.total, job.done, job.duplicates, job.unchanged) == (4, 1, 1, 1)
    assert left(catalogue, listed(times={"a": 1}, size=98)) == ["a"]
    assert left(catalogue, listed(times={"a": 1}, root="others")) == ["a"]
    assert left(catalogue, listed(times={"a": 1}, verify_bytes=True)) == ["a"]


def test_a_job_whose_files_are_all_unchanged_is_completed_by_its_walk(known, listed):
    known(a=1, b=2)
    assert listed(times={"a": 1, "b": 2}).state is JobState.COMPLETED


def test_a_file_of_a_deleted_image_is_not_unchanged(catalogue, cats, known, listed):
    known(a=1)
    catalogue.images.delete_all(cats.id)
    assert left(catalogue, listed(times={"a": 1})) == ["a"]


def test_files_that_are_on_the_list_already_are_not_counted_twice(catalogue, known, listed):
    known(a=1)
    job = listed(times={"a": 1, "b": 2})
    catalogue.jobs.add_files(job.number, [NewFile("a", "a", stamp=Stamp(SIZE, 1))])
    again = catalogue.jobs.get(job.id)
    assert (again.total, again.unchanged) == (2, 1)


def test_a_refused_entry_has_failed_and_is_never_to_do(catalogue, cats):
    refused = NewFile("1", "x", action=FileAction.REFUSED, code="forbidden", detail="why")
    new = NewJob(SourceKind.UPLOAD, files=(refused,))
    job = catalogue.jobs.create(cats.id, "cats", new)
    assert (job.state, job.total, job.failed) == (JobState.COMPLETED, 1, 1)
    (failure,) = catalogue.jobs.failures(job.number, after=0, limit=9)
    assert (failure.path, failure.code, failure.detail) == ("x", "forbidden", "why")


def test_deletions_are_not_in_the_total_and_complete_the_job(catalogue, cats, known):
    known(a=1, b=2)
    job = catalogue.jobs.create(cats.id, "cats", NewJob(SourceKind.FILE, root="pictures"))
    entries = [NewFile(str(n), path, action=FileAction.DELETE) for n, path in enumerate("axb")]
    catalogue.jobs.add_files(job.number, entries)
    catalogue.jobs.finish_walk(job.number)
    job = catalogue.jobs.get(job.id)
    assert (job.state, job.total, job.removals_open) == (JobState.PENDING, 0, 3)
    outcomes = [Outcome(one) for one in todo(catalogue, job)]
    catalogue.jobs.settle(job, outcomes)
    catalogue.jobs.settle(job, outcomes)  # a second time does nothing
    job = catalogue.jobs.get(job.id)
    assert (job.state, job.total, job.failed, job.removed) == (JobState.COMPLETED, 1, 1, 2)
    assert (job.removals_open, catalogue.images.count(cats.id)) == (0, 0)


def test_an_image_with_an_upload_too_stays_until_its_upload_goes(
    catalogue, cats, known, upload_job, digest
):
    known(a=1)
    upload = upload_job(cats, "a")
    (file,) = todo(catalogue, upload)
    catalogue.jobs.settle(upload, [Outcome(file, known_sha256=digest("a"))])
    job = catalogue.jobs.create(cats.id, "cats", NewJob(SourceKind.FILE, root="pictures"))
    by_path = NewFile("1", "a", action=FileAction.DELETE)
    catalogue.jobs.add_files(job.number, [by_path])
    settled = catalogue.jobs.settle(job, [Outcome(one) for one in todo(catalogue, job)])
    assert (settled.removed, catalogue.images.count(cats.id)) == (0, 1)
    by_digest = NewFile("2", "line 2", digest("a"), action=FileAction.DELETE)
    catalogue.jobs.add_files(job.number, [by_digest])
    settled = catalogue.jobs.settle(job, [Outcome(one) for one in todo(catalogue, job)])
    assert (settled.removed, catalogue.images.count(cats.id)) == (1, 0)


def test_the_manifest_of_an_open_job_is_needed_until_it_is_read(catalogue, cats, digest):
    new = NewJob(SourceKind.FILE, root="pictures", manifest=digest("list"), manifest_name="l")
    job = catalogue.jobs.create(cats.id, "cats", new)
    stored = {digest("list")}

    def queued():
        with catalogue.database.reading() as connection:
            return queued_uploads(connection)

    assert (unneeded(catalogue, stored), queued()) == (set(), stored)
    catalogue.jobs.finish_walk(job.number)
    assert (unneeded(catalogue, stored), queued()) == (stored, set())


def test_a_manifest_that_was_not_read_to_the_end_is_kept_for_a_retry(catalogue, cats, digest):
    new = NewJob(SourceKind.FILE, root="pictures", manifest=digest("list"), manifest_name="l")
    job = catalogue.jobs.create(cats.id, "cats", new)
    catalogue.job_control.cancel(job.id)
    ended, stored = catalogue.jobs.get(job.id).finished_at, {digest("list")}
    a_second = timedelta(seconds=1)
    assert unneeded(catalogue, stored, ended - a_second) == set()
    assert unneeded(catalogue, stored, ended) == stored
    assert catalogue.upload_references.left_between(ended - a_second, ended) == stored
    assert catalogue.upload_references.left_between(ended + a_second, ended + a_second) == set()


def test_a_retry_counts_its_deletions_and_its_pruning_by_themselves(catalogue, cats, known):
    known(a=1)
    new = NewJob(SourceKind.FILE, root="pictures", prune=True)
    job = catalogue.jobs.create(cats.id, "cats", new)
    entries = [
        NewFile("1", "a", action=FileAction.DELETE),
        NewFile("2", "b", metadata={"shop": "north"}),
        NewFile("3", "l:3", action=FileAction.DELETE, image_id=7),
        NewFile("4", "l:4", action=FileAction.REFUSED, code="forbidden", detail="why"),
    ]
    catalogue.jobs.add_files(job.number, entries)
    catalogue.jobs.finish_walk(job.number)
    first, *_ = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(first)])
    catalogue.job_control.cancel(job.id)
    old = catalogue.jobs.get(job.id)
    assert (old.total, old.failed, old.removed, old.removals_open) == (2, 1, 1, 2)
    again = catalogue.jobs.get(catalogue.job_control.retry(old))
    assert (again.total, again.done, again.removed, again.removals_open) == (1, 0, 0, 2)
    assert (again.state, again.prune, again.unchanged) == (JobState.PENDING, True, 0)
    add, delete = todo(catalogue, again)
    assert (add.action, add.metadata) == (FileAction.ADD, {"shop": "north"})
    assert (delete.action, delete.image_id) == (FileAction.DELETE, 7)


def test_missed_sources_are_listed_in_the_order_of_their_images(catalogue, cats, known, listed):
    known(**{"x/a": 1, "x/b": 2, "x/c/d": 3, "xy": 4, "y": 5})
    job = listed(times={"x/b": 2}, path="x", prune=True)
    missed = catalogue.pruning.missed(job, after=0)
    assert [one.path for one in missed] == ["x/a", "x/c/d"]
    assert [one.path for one in catalogue.pruning.missed(job, after=missed[0].image_id)] == [
        "x/c/d"
    ]
    assert job.state is JobState.PENDING
    assert catalogue.pruning.remove(job, {one.source_id for one in missed}) == 2
    catalogue.pruning.finish(job, removed=2, detail="so it is")
    job = catalogue.jobs.get(job.id)
    assert (job.state, job.removed, job.detail) == (JobState.COMPLETED, 2, "so it is")


def test_a_canceled_pruning_removes_nothing(catalogue, cats, known, listed):
    known(a=1)
    job = listed(times={"b": 2}, prune=True)
    (missed,) = catalogue.pruning.missed(job, after=0)
    catalogue.job_control.cancel(job.id)
    before = catalogue.jobs.get(job.id)
    assert catalogue.pruning.remove(job, {missed.source_id}) == 0
    catalogue.pruning.finish(job, removed=1, detail="too late")
    assert catalogue.jobs.get(job.id) == before
    assert catalogue.images.count(cats.id) == 1


def test_a_dry_run_counts_equal_files_once(catalogue, cats, digest, listed):
    job = listed(times={"a": 1, "b": 2, "c": 3}, dry_run=True)
    files = todo(catalogue, job)
    checked = [Outcome(file, checked_sha256=digest("same")) for file in files]
    catalogue.jobs.settle(job, checked[:1])
    catalogue.jobs.settle(job, checked[1:])
    job = catalogue.jobs.get(job.id)
    assert (job.indexed, job.duplicates, job.state) == (1, 2, JobState.COMPLETED)
    assert catalogue.images.count(cats.id) == 0
