"""The life of a job, and its list of files."""

import re

import pytest

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, NewFile, NewJob
from bento_service.catalogue.states import SourceKind
from bento_service.errors import CollectionNotFound, JobNotFound
from client_sdk.schemas import JobState
from tests.catalogue.jobs.counting import counted
from tests.support.job_files import todo

# Life of a job


def test_a_new_job_waits_for_its_walk(catalogue, cats):
    new = NewJob(
        SourceKind.FILE,
        root="pictures",
        path="a/b",
        recursive=False,
        ignore=("*.gif",),
        metadata={"by": ["me", 1]},
    )
    job = catalogue.jobs.create(cats.id, "cats", new)
    assert job.state is JobState.PENDING
    assert (job.kind, job.root, job.path, job.recursive) == (
        SourceKind.FILE,
        "pictures",
        "a/b",
        False,
    )
    assert (job.ignore, job.metadata) == (("*.gif",), {"by": ["me", 1]})
    assert not job.walked
    assert counted(job) == (0, 0, 0, 0, 0)
    assert job.created_at.tzinfo is not None
    assert (job.started_at, job.finished_at, job.detail) == (None, None, None)
    assert catalogue.jobs.get(job.id) == job


def test_all_files_of_an_upload_are_listed_when_it_is_created(catalogue, cats, upload_job, digest):
    job = upload_job(cats, "a.png", "b.png", "a.png")
    assert job.walked
    assert job.total == 3
    files = todo(catalogue, job)
    assert [file.path for file in files] == ["a.png", "b.png", "a.png"]
    assert [file.sha256 for file in files] == [digest(name) for name in ("a.png", "b.png", "a.png")]


def test_a_job_of_a_collection_that_was_deleted_meanwhile_is_not_created(catalogue, cats):
    catalogue.collections.delete(cats.id)
    with pytest.raises(CollectionNotFound, match="'cats' was deleted"):
        catalogue.jobs.create(cats.id, cats.name, NewJob(SourceKind.FILE), Claim("key", "asked"))
    assert catalogue.jobs.page(before=None, limit=10) == []
    assert catalogue.idempotency_keys.job_of(Claim("key", "another")) is None


@pytest.mark.parametrize("job_id", ["nope", "", "f" * 32, "f" * 31 + "\0", "\ud800"])
def test_an_unknown_job_is_an_error(job_id, catalogue):
    with pytest.raises(JobNotFound, match=re.escape(repr(job_id))):
        catalogue.jobs.get(job_id)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "x" * 10_000])
def test_no_jobs_have_a_batch_or_collection_that_cannot_be_stored(
    text, catalogue, cats, folder_job
):
    folder_job(cats, "a")
    assert catalogue.jobs.page(before=None, limit=10, batch=text) == []
    assert catalogue.jobs.page(before=None, limit=10, collection=text) == []


def test_a_job_starts_once(catalogue, cats, folder_job):
    job = folder_job(cats, "a", walked=False)
    catalogue.jobs.start(job.number)
    started = catalogue.jobs.get(job.id)
    assert started.state is JobState.IN_PROGRESS
    catalogue.jobs.start(job.number)
    assert catalogue.jobs.get(job.id) == started


def test_jobs_are_listed_newest_first_and_in_pages(catalogue, cats, folder_job):
    numbers = [folder_job(cats, "a").number for _ in range(5)]
    first = catalogue.jobs.page(before=None, limit=2)
    assert [job.number for job in first] == [numbers[4], numbers[3]]
    rest = catalogue.jobs.page(before=first[-1].number, limit=10)
    assert [job.number for job in rest] == [numbers[2], numbers[1], numbers[0]]


def test_jobs_are_listed_by_state_and_collection(catalogue, cats, space, folder_job, settle_all):
    dogs = catalogue.collections.create("dogs", space)
    done, waiting, other, broken = (folder_job(one, "a") for one in (cats, cats, dogs, cats))
    settle_all(done)
    catalogue.jobs.fail(broken.number, "lost")

    def listed(**which):
        found = catalogue.jobs.page(before=None, limit=10, **which)
        return [job.number for job in found]

    assert listed(collection="dogs") == [other.number]
    assert listed(states=[JobState.PENDING]) == [other.number, waiting.number]
    ended = [JobState.COMPLETED, JobState.FAILED]
    assert listed(states=ended) == [broken.number, done.number]
    assert listed(states=ended, collection="dogs") == []
    assert [job.number for job in catalogue.jobs.open(after=waiting.number)] == [other.number]
    some = catalogue.jobs.among([broken.number, done.number, 10**6])
    assert [job.number for job in some] == [done.number, broken.number]


def test_open_jobs_are_those_with_work_oldest_first(catalogue, cats, folder_job, settle_all):
    waiting, done, broken, running = (folder_job(cats, name) for name in "abcd")
    settle_all(done)
    catalogue.jobs.fail(broken.number, "lost")
    catalogue.jobs.start(running.number)
    assert [job.number for job in catalogue.jobs.open()] == [waiting.number, running.number]


def test_jobs_survive_being_closed(url, catalogue, cats, folder_job, settle_all):
    job = folder_job(cats, "a", "b", walked=False)
    with Catalogue.open(url) as again:
        assert again.jobs.get(job.id) == catalogue.jobs.get(job.id)
        assert again.jobs.open() == catalogue.jobs.open()


# Lists of files


def test_the_same_file_listed_twice_is_on_the_list_once(catalogue, cats, folder_job):
    job = folder_job(cats, "a", "b", walked=False)
    again = [NewFile(path, path) for path in ("b", "c", "a", "c")]
    catalogue.jobs.add_files(job.number, again)
    assert catalogue.jobs.get(job.id).total == 3
    assert [file.path for file in todo(catalogue, job)] == ["a", "b", "c"]


def test_a_repeated_walk_keeps_the_results(catalogue, cats, folder_job, settle_all):
    job = folder_job(cats, "a", "b", walked=False)
    settle_all(job)
    catalogue.jobs.add_files(job.number, [NewFile(path, path) for path in ("a", "b", "c")])
    assert counted(catalogue.jobs.get(job.id)) == (3, 2, 2, 0, 0)
    assert [file.path for file in todo(catalogue, job)] == ["c"]


def test_two_jobs_may_list_the_same_file(catalogue, cats, folder_job):
    one, two = folder_job(cats, "a"), folder_job(cats, "a")
    assert (one.total, two.total) == (1, 1)


def test_the_list_is_leased_in_order_and_in_parts(catalogue, cats, folder_job):
    job = folder_job(cats, *(f"{n:03}" for n in reversed(range(10))))
    first = catalogue.leases.take(job, replica=1, limit=4)
    rest = catalogue.leases.take(job, replica=1, limit=100)
    assert len(first) == 4
    assert [file.path for file in first + rest] == [f"{n:03}" for n in reversed(range(10))]


def test_a_long_list_is_counted_correctly(catalogue, cats, folder_job):
    job = folder_job(cats, *(str(n) for n in range(5000)), walked=False)
    catalogue.jobs.add_files(job.number, [NewFile(str(n), str(n)) for n in range(4000, 6000)])
    assert catalogue.jobs.get(job.id).total == 6000


@pytest.mark.parametrize(
    "path", ["a\udcff\udc80.jpg", "two\nlines", "日本.jpg", "'; DROP TABLE jobs"]
)
def test_paths_are_returned_unchanged(path, catalogue, cats, folder_job, settle_all):
    job = folder_job(cats, path, path=path)
    assert job.path == path
    assert todo(catalogue, job)[0].path == path
    settle_all(job, same_as={path: "a picture"})
    (image,) = catalogue.images.page(cats.id, limit=2)
    assert image.sources[0].path == path


def test_two_names_that_look_alike_as_text_are_two_files(catalogue, cats, folder_job):
    job = folder_job(cats, "a\udcff", "a\udcfe", "a\ufffd")
    assert job.total == 3
