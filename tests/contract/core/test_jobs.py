"""Canceling, retrying, following and listing jobs; the same call twice under one key."""

import asyncio
import json
import threading

import httpx
import pytest
from PIL import Image

from client_sdk import Conflict, InvalidArgument, JobNotFound
from client_sdk.schemas import Job, JobState
from tests.support.waiting import run_threads


def fill(folder, number, first=0):
    """Put so many different pictures into a folder."""
    for n in range(first, first + number):
        Image.effect_noise((48, 48), 20 + n).save(folder / f"{n:03}.png")


def counted(job):
    return (job.total, job.done, job.indexed, job.duplicates, job.failed)


LONG, VERY_LONG = 120, 1200  # pictures of jobs that take two and twenty seconds on a fast machine


@pytest.fixture
def job_of(client, collection, folder):
    """Start a job of so many pictures, and return it once it has begun."""
    started = []

    def start(number):
        fill(folder, number)
        started.append(client.train(folder, collection=collection))
        return next(one for one in started[0].events() if one.done)

    yield start
    for job in started:
        if not client.job(job).state.is_final:
            job.cancel()


@pytest.fixture
def long_job(job_of):
    """Return a job that has begun and goes on for seconds."""
    return job_of(LONG)


# Canceling and retrying


def test_a_canceled_job_stops_at_once_and_a_retry_does_the_rest(client, collection, long_job):
    canceled = long_job.cancel()
    assert (canceled.state, canceled.id) == (JobState.CANCELED, long_job.id)
    assert 0 < canceled.done < LONG
    other = client.upload([("x.png", b"no picture")], collection=collection).wait()
    assert other.failed == 1  # the worker goes on
    assert client.job(long_job) == canceled == long_job.cancel()
    assert client.count(collection=collection) == canceled.indexed

    again = long_job.retry()
    assert (again.retry_of, again.kind) == (long_job.id, "file")
    ended = again.wait()
    assert (ended.indexed, ended.duplicates, ended.failed) == (LONG - canceled.indexed, 0, 0)
    assert client.count(collection=collection) == LONG
    assert client.job(long_job) == canceled


def test_a_finished_job_is_not_canceled_and_not_retried_for_nothing(
    client, collection, photographs
):
    job = client.upload(photographs / "coins.jpg", collection=collection).wait()
    with pytest.raises(Conflict, match="is completed already"):
        job.cancel()
    with pytest.raises(Conflict, match="nothing to retry"):
        job.retry()
    with pytest.raises(JobNotFound):
        client.job("nope").cancel()
    with pytest.raises(JobNotFound):
        client.job("nope").retry()


def test_a_mended_file_is_indexed_by_a_retry(client, http, collection, folder, photographs):
    fill(folder, 2)
    (folder / "torn.jpg").write_bytes(b"no picture")
    job = client.train(folder, collection=collection).wait()
    assert counted(job) == (3, 3, 2, 0, 1)
    (folder / "torn.jpg").write_bytes((photographs / "coins.jpg").read_bytes())
    answer = http.post(f"/api/v2/jobs/{job.id}/retry")
    assert answer.status_code == 202
    again = Job.model_validate_json(answer.content)
    assert answer.headers["location"] == f"/api/v2/jobs/{again.id}"
    again = client.job(again).wait()
    assert counted(again) == (1, 1, 1, 0, 0)
    with pytest.raises(Conflict, match="nothing to retry"):
        again.retry()


def test_an_upload_that_failed_is_kept_for_a_retry(client, collection):
    job = client.upload([("x.png", b"no picture")], collection=collection).wait()
    again = job.retry().wait()
    (error,) = again.errors
    assert (error.source, error.code) == ("x.png", "unsupported_media_type")


def test_a_canceled_reindex_leaves_nothing_behind_and_can_be_retried(
    client, collection, photographs
):
    client.upload(sorted(photographs.iterdir()), collection=collection).wait()
    job = client.collection(collection).reindex("vgg16-mac")
    canceled = job.cancel()
    assert (canceled.state, canceled.kind) == (JobState.CANCELED, "reindex")

    def own():
        return next(one for one in client.collections() if one.name == collection)

    assert (own().descriptor, own().preparing, own().former) == ("vgg16-rmac4", None, None)
    again = job.retry().wait()
    assert (again.retry_of, again.source) == (job.id, "reindex to vgg16-mac")
    assert own().descriptor == "vgg16-mac"
    with pytest.raises(Conflict, match="holds vgg16-mac"):
        job.retry()


# Lists


def test_jobs_are_listed_by_state_and_collection(client, http, collection, photographs):
    ids = [client.upload([(f"{n}.png", b"x")], collection=collection).wait().id for n in range(5)]
    assert [job.id for job in client.jobs(collection=collection)] == ids[::-1]
    assert [job.id for job in client.jobs(state="completed", collection=collection)] == ids[::-1]
    assert list(client.jobs(state=["failed", "canceled"], collection=collection)) == []
    assert list(client.jobs(collection="there is none")) == []
    page = http.get("/api/v2/jobs", params={"collection": collection, "limit": 2}).json()
    client.upload([("new.png", b"x")], collection=collection).wait()
    rest = {"collection": collection, "limit": 10, "cursor": page["next_cursor"]}
    seen = [*page["jobs"], *http.get("/api/v2/jobs", params=rest).json()["jobs"]]
    assert [job["id"] for job in seen] == ids[::-1]  # each once, though one came in between
    with pytest.raises(InvalidArgument, match="state"):
        list(client.jobs(state="asleep"))


# Following


def test_a_job_is_followed_to_its_end(client, collection, folder):
    fill(folder, 6)
    events = list(client.train(folder, collection=collection).events())
    assert events[-1].state is JobState.COMPLETED
    assert counted(events[-1]) == (6, 6, 6, 0, 0)
    assert [job.done for job in events] == sorted(job.done for job in events)
    assert len({job.model_dump_json() for job in events}) == len(events)
    assert list(events[-1].events()) == [events[-1]]


def test_events_are_those_of_the_standard(http, client, collection):
    job = client.upload([("x.png", b"x")], collection=collection).wait()
    answer = http.get(f"/api/v2/jobs/{job.id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    fields = dict(line.split(": ", 1) for line in answer.text.strip().splitlines())
    assert fields["event"] == "job"
    assert Job.model_validate(json.loads(fields["data"])) == job
    seen = http.get(f"/api/v2/jobs/{job.id}/events", headers={"Last-Event-ID": fields["id"]})
    assert (seen.status_code, seen.content) == (204, b"")  # a browser asks no more
    again = http.get(f"/api/v2/jobs/{job.id}/events", headers={"Last-Event-ID": "other"})
    assert again.text == answer.text
    assert http.get("/api/v2/jobs/nope/events").json()["code"] == "job_not_found"


def test_many_follow_one_job_and_some_leave(backend, client, collection, job_of):
    long_job = job_of(VERY_LONG)

    async def follow(asking, leaves):
        async for job in (await asking.job(long_job)).events():
            if leaves or job.state.is_final:
                return job.state
        raise AssertionError("the stream has ended before the job")

    async def run():
        async with backend.async_client() as asking:
            tasks = [asyncio.create_task(follow(asking, leaves=n % 2)) for n in range(60)]
            await asyncio.gather(*tasks[1::2])
            await (await asking.job(long_job)).cancel()
            return await asyncio.gather(*tasks[::2])

    assert set(asyncio.run(asyncio.wait_for(run(), 300))) == {JobState.CANCELED}


# Repeated calls


def test_the_same_train_under_one_key_is_one_job(client, http, collection, folder):
    fill(folder, 1)
    first = client.train(folder, collection=collection, idempotency_key=f"a {collection}")
    first.wait()
    body = {"collection": collection, "path": str(folder), "recursive": True}
    header = {"Idempotency-Key": f"a {collection}"}
    answer = http.post("/api/v2/train", json=body, headers=header)
    assert (answer.status_code, answer.json()["id"]) == (202, first.id)
    assert answer.headers["location"] == f"/api/v2/jobs/{first.id}"
    assert answer.json()["state"] == "completed"
    for other in ({**body, "recursive": False}, {**body, "path": "nowhere"}):
        refused = http.post("/api/v2/train", json=other, headers=header)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert len(list(client.jobs(collection=collection))) == 1


def test_the_same_upload_under_one_key_is_one_job(backend, client, collection, photographs):
    key = f"b {collection}"
    pictures = [photographs / "coins.jpg", ("x.png", b"x")]
    first = client.upload(pictures, collection=collection, idempotency_key=key).wait()
    again = client.upload(pictures, collection=collection, idempotency_key=key)
    assert again == first
    stored = backend.stored()
    for other in ([pictures[0]], [("y.png", b"x"), pictures[0]], [pictures[0], ("x.png", b"y")]):
        with pytest.raises(Conflict, match="was used for another request"):
            client.upload(other, collection=collection, idempotency_key=key)
    with pytest.raises(Conflict):
        client.train("somewhere", collection=collection, idempotency_key=key)
    assert backend.stored() == stored


def test_an_upload_of_another_batch_is_another_call(http, collection):
    def post(batch):
        return http.post(
            "/api/v2/train",
            files={"files": ("x.png", b"x")},
            data={"collection": collection, "batch": batch},
            headers={"Idempotency-Key": f"d {collection}"},
        )

    first = post("monday")
    assert (first.status_code, post("monday").json()["id"]) == (202, first.json()["id"])
    assert (post("tuesday").status_code, post("tuesday").json()["code"]) == (409, "conflict")


def test_the_same_reindex_under_one_key_is_one_job(client, collection, photographs):
    client.upload(photographs / "coins.jpg", collection=collection).wait()
    key = f"c {collection}"
    first = client.collection(collection).reindex("vgg16-mac", idempotency_key=key).wait()
    assert client.collection(collection).reindex("vgg16-mac", idempotency_key=key) == first
    with pytest.raises(Conflict, match="was used for another request"):
        client.collection(collection).reindex("vgg16-rgem", idempotency_key=key)


def test_two_at_once_under_one_key_start_one_job(backend, client, collection):
    together, made = threading.Barrier(6), []

    def ask():
        with backend.client() as own:
            together.wait(60)
            job = own.upload([("x.png", b"x")], collection=collection, idempotency_key=collection)
            made.append(job.id)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    run_threads(*threads)
    assert len(made) == 6
    assert len(set(made)) == 1
    assert [job.id for job in client.jobs(collection=collection)] == made[:1]


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
def test_a_key_that_is_none_is_refused(key, http):
    headers = httpx.Headers([(b"Idempotency-Key", key.encode("latin-1"))])
    answer = http.post("/api/v2/train", json={"path": "."}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
    assert "Idempotency-Key" in answer.json()["detail"]
