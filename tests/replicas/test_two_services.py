"""Two services on one catalogue and one index share the work, and answer alike."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from client_sdk.schemas import JobState
from tests.admin.serving import picture
from tests.replicas.pair import client
from tests.support.waiting import wait_until

FILES = 400
SLOW = 0.02


@pytest.fixture
def write(request):
    def pictures(pair, folder, seeds):
        (pair.images / folder).mkdir()
        for seed in seeds:
            (pair.images / folder / f"{seed:05}.png").write_bytes(picture(seed))
        return pair.images / folder

    return pictures


def test_each_file_of_a_job_is_described_by_one_of_them(new_pair, write):
    pair = new_pair(describe_seconds=SLOW)
    folder = write(pair, "many", range(FILES))
    with client(pair.servers[0]) as first, client(pair.servers[1]) as second:
        started = first.train(folder, collection="many")
        with ThreadPoolExecutor(1) as thread:
            events = thread.submit(lambda: list(second.job(started.id).events()))
            job = started.wait(timeout=300, interval=0.05)
            followed = events.result(300)
        assert (job.state, job.total, job.indexed, job.failed) == (
            JobState.COMPLETED,
            FILES,
            FILES,
            0,
        )
        done = [event.done for event in followed]
        assert done == sorted(done)
        assert followed[-1].state is JobState.COMPLETED
        assert any(event.images_per_second for event in followed[:-1])
        described = pair.descriptions()
        assert sum(each.total() for each in described) == FILES
        assert all(described)
        assert set((described[0] + described[1]).values()) == {1}
        for one in (first, second):
            assert one.count(collection="many") == FILES


def test_acknowledged_changes_of_one_are_seen_by_the_other_at_once(new_pair, write):
    pair = new_pair()
    with client(pair.servers[0]) as first, client(pair.servers[1]) as second:
        for round_ in range(3):
            for one, other in ((first, second), (second, first)):
                folder = write(pair, f"{round_}{one is first}", range(round_ * 10, round_ * 10 + 4))
                one.train(folder, collection="cats").wait(timeout=300, interval=0.02)
                (image, *_) = list(other.images(collection="cats"))
                found = other.search(image.id, collection="cats", top_k=100)
                assert len(found.hits) == 4
                assert found.hits[0].image_id == image.id
                one.delete([image.id], collection="cats")
                found = other.search(picture(round_ * 10), collection="cats", top_k=100)
                assert image.id not in {hit.image_id for hit in found.hits}
                assert len(found.hits) == 3
                one.delete(all=True, collection="cats")
                assert other.count(collection="cats") == 0


def test_a_job_is_canceled_and_retried_through_the_other(new_pair, write):
    pair = new_pair(describe_seconds=0.05)
    folder = write(pair, "long", range(200))
    with client(pair.servers[0]) as first, client(pair.servers[1]) as second:
        started = first.train(folder, collection="long")
        wait_until(lambda: second.job(started.id).done > 0)
        canceled = second.job(started.id).cancel()
        assert canceled.state is JobState.CANCELED
        assert first.job(started.id).done == canceled.done
        again = second.job(started.id).retry()
        ended = first.job(again.id).wait(timeout=300, interval=0.05)
        assert ended.state is JobState.COMPLETED
        assert first.job(started.id).done == canceled.done
        assert canceled.done + ended.done == 200
        assert first.count(collection="long") == 200


def test_one_of_them_follows_a_watched_root_and_the_other_after_it(new_pair):
    pair = new_pair(LOOKALIKE_WATCH="pictures", LOOKALIKE_WATCH_POLL_SECONDS="0.1")
    (owner,) = pair.owners()
    (other,) = (server for server in pair.servers if server is not owner)
    with client(other) as one:
        for seed in range(3):
            (pair.images / f"{seed}.png").write_bytes(picture(seed))
            wait_until(lambda: one.count() == seed + 1)  # noqa: B023
        jobs = len(list(one.jobs()))
        assert jobs <= 4  # at the start, and after each file
        owner.kill()
        (pair.images / "3.png").write_bytes(picture(3))
        wait_until(lambda: one.count() == 4)
        assert pair.owners() == [other]
        assert len(list(one.jobs())) <= jobs + 2
