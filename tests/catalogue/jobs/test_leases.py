"""Leases of files and walks, by replicas that share a job."""

import threading

import pytest

from bento_service.catalogue.jobs.records import NewFile, NewJob, Outcome
from bento_service.catalogue.states import FileAction, SourceKind
from tests.support.waiting import run_threads, wait_until

shared = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
"""Only PostgreSQL has several replicas."""
NAMES = tuple(f"{n:03}" for n in range(100))


@pytest.fixture
def join(catalogue):
    return lambda seconds=60: catalogue.replicas.join("test", seconds=seconds)


@pytest.fixture
def take(catalogue):
    def paths(job, replica, limit=1000):
        taken = catalogue.leases.take(job, replica=replica, limit=limit)
        return [file.path for file in taken]

    return paths


@pytest.fixture
def manifest_job(catalogue, cats):
    new = NewJob(SourceKind.FILE, root="pictures", manifest="a" * 64, manifest_name="list.jsonl")
    job = catalogue.jobs.create(cats.id, "cats", new)
    lines = [NewFile(str(n), f"{n}.png") for n in range(8)]
    lines.append(NewFile("8", "0.png", action=FileAction.DELETE))
    catalogue.jobs.add_files(job.number, lines)
    return job


def test_files_are_leased_in_the_order_of_the_list_and_each_once(cats, folder_job, join, take):
    job, replica = folder_job(cats, *NAMES), join()
    assert take(job, replica, 30) == list(NAMES[:30])
    assert take(job, replica, 100) == list(NAMES[30:])
    assert take(job, replica) == []


def test_leases_end_with_the_replica(catalogue, cats, folder_job, join, take):
    job, first = folder_job(cats, "a", "b"), join()
    assert take(job, first) == ["a", "b"]
    catalogue.replicas.leave(first)
    assert take(job, join()) == ["a", "b"]


def test_a_closed_job_has_nothing_to_lease(catalogue, cats, folder_job, join, take):
    job = folder_job(cats, "a")
    catalogue.job_control.cancel(job.id)
    assert take(job, join()) == []
    assert not catalogue.leases.take_walk(job.number, replica=join())


def test_a_file_that_is_put_back_can_be_leased_again(
    catalogue, cats, folder_job, join, take, digest
):
    job, replica = folder_job(cats, "a"), join()
    (file,) = catalogue.leases.take(job, replica=replica, limit=9)
    # Its image was known when it was read, and has been deleted since.
    catalogue.jobs.settle(job, [Outcome(file, known_sha256=digest("a"))])
    assert take(job, replica) == ["a"]


def test_a_replica_gives_back_its_own_leases_of_one_job(catalogue, cats, folder_job, join, take):
    job, other, replica = folder_job(cats, "a", "b", "c"), folder_job(cats, "d"), join()
    assert take(job, replica, 2) == ["a", "b"]
    assert take(other, replica) == ["d"]
    catalogue.leases.give_back(job, replica=replica + 1)
    assert take(job, replica) == ["c"]
    catalogue.leases.give_back(job, replica=replica)
    assert take(job, replica) == ["a", "b", "c"]
    assert take(other, replica) == []


def test_a_retry_is_leased_by_nobody(catalogue, cats, folder_job, join, take):
    job, replica = folder_job(cats, "a", "b"), join()
    assert take(job, replica) == ["a", "b"]
    assert catalogue.leases.take_walk(job.number, replica=replica)
    catalogue.job_control.cancel(job.id)
    again = catalogue.jobs.get(catalogue.job_control.retry(catalogue.jobs.get(job.id)))
    assert take(again, replica) == ["a", "b"]


@shared
def test_two_replicas_never_lease_the_same_file(catalogue, cats, folder_job, join):
    job, taken = folder_job(cats, *NAMES), {join(): [], join(): []}

    def work(replica):
        while files := catalogue.leases.take(job, replica=replica, limit=3):
            taken[replica] += [file.path for file in files]

    run_threads(*(threading.Thread(target=work, args=(replica,)) for replica in taken))
    first, second = taken.values()
    assert sorted(first + second) == list(NAMES)
    assert first
    assert second


@shared
def test_a_silent_replica_loses_its_leases(catalogue, cats, folder_job, join, take):
    job, silent, other = folder_job(cats, "a", "b"), join(0.3), join()
    assert take(job, silent, 1) == ["a"]
    assert take(job, other) == ["b"]
    assert wait_until(lambda: take(job, other)) == ["a"]


@shared
def test_a_file_that_two_replicas_have_described_counts_once(
    catalogue, cats, folder_job, join, described
):
    job, silent, other = folder_job(cats, "a"), join(0.1), join()
    (late,) = catalogue.leases.take(job, replica=silent, limit=1)
    (file,) = wait_until(lambda: catalogue.leases.take(job, replica=other, limit=1))
    for each in (late, file):
        catalogue.jobs.settle(job, [Outcome(each, described=described("a"))])
    ended = catalogue.jobs.get(job.id)
    assert (ended.state.value, ended.total, ended.indexed, ended.duplicates) == (
        "completed",
        1,
        1,
        0,
    )


@shared
def test_one_replica_at_a_time_does_the_lines_of_a_manifest(
    catalogue, manifest_job, join, take, described
):
    first, second = join(), join()
    files = catalogue.leases.take(manifest_job, replica=first, limit=3)
    assert take(manifest_job, second) == []
    outcomes = [Outcome(file, described=described(file.path)) for file in files]
    catalogue.jobs.settle(manifest_job, outcomes)
    assert take(manifest_job, second, 4) == ["3.png", "4.png", "5.png", "6.png"]
    assert take(manifest_job, first) == []
    catalogue.replicas.leave(second)
    assert take(manifest_job, first) == ["3.png", "4.png", "5.png", "6.png", "7.png", "0.png"]


@shared
def test_one_replica_at_a_time_walks_a_folder(catalogue, cats, folder_job, join):
    job, first, second = folder_job(cats, walked=False), join(), join()
    walks = catalogue.leases.take_walk
    assert walks(job.number, replica=first)
    assert not walks(job.number, replica=second)
    assert walks(job.number, replica=first)
    catalogue.replicas.leave(first)
    assert walks(job.number, replica=second)
    assert not walks(job.number, replica=first)
