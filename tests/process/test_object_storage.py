"""A whole service whose uploads are in S3, while the storage is there, slow and away."""

import httpx
import pytest
from PIL import Image

from client_sdk import Client
from client_sdk.schemas import JobState
from tests.support.object_storage import BUCKET, refusing, slow
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def server(new_server, s3_server):
    s3_server.empty()
    storage = f"s3://{BUCKET}/uploads"
    started = new_server(LOOKALIKE_STORAGE=storage, **s3_server.environment).start()
    yield started
    started.stop()


@pytest.fixture
def client(server):
    with Client(server.url, retries=0) as opened:
        yield opened


@pytest.fixture
def picture(tmp_path):
    """Return a function that makes pictures of one colour."""

    def make(colour):
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (60, 40), colour).save(path)
        return path

    return make


def post(server, path, collection):
    with path.open("rb") as file:
        return httpx.post(
            f"{server.url}/api/v2/train",
            files={"files": (path.name, file)},
            data={"collection": collection},
            timeout=120,
        )


def job_of(client, answer):
    return client.job(answer.json()["id"])


def content(server, client, collection):
    (image,) = client.images(collection=collection)
    return httpx.get(f"{server.url}/api/v2/images/{image.id}/content", timeout=120)


def test_an_upload_is_stored_in_the_bucket_and_shown(server, client, picture):
    path = picture("red")
    job = job_of(client, post(server, path, "shown")).wait()
    assert (job.state, job.indexed) == (JobState.COMPLETED, 1)
    answer = content(server, client, "shown")
    assert (answer.status_code, answer.content) == (200, path.read_bytes())
    (image,) = client.images(collection="shown")
    thumbnail = httpx.get(f"{server.url}/api/v2/images/{image.id}/thumbnail", timeout=120)
    assert thumbnail.headers["content-type"] == "image/webp"
    assert not (server.data_dir / "uploads").exists()


def test_an_upload_that_cannot_be_stored_is_not_acknowledged(server, client, picture, s3_server):
    path = picture("green")
    s3_server.fault = refusing("PUT")
    try:
        answer = post(server, path, "refused")
    finally:
        s3_server.fault = None
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "object storage" in answer.json()["detail"]
    assert BUCKET not in answer.text
    assert list(client.jobs(collection="refused")) == []
    assert job_of(client, post(server, path, "refused")).wait().indexed == 1


def test_a_job_waits_while_its_bytes_cannot_be_read(server, client, picture, s3_server):
    s3_server.fault = refusing("GET")
    try:
        # A new object is looked up by GET too, so another process has stored this one before.
        answer = post(server, picture("red"), "waiting")
        assert answer.status_code == 202
        wait_until(lambda: "ingest waits for the object storage" in server.log.read_text())
        assert job_of(client, answer).state is not JobState.COMPLETED
    finally:
        s3_server.fault = None
    job = job_of(client, answer).wait()
    assert (job.state, job.indexed, job.failed) == (JobState.COMPLETED, 1, 0)


def test_searches_go_on_while_the_storage_is_away(server, client, picture, s3_server):
    job_of(client, post(server, picture("blue"), "away")).wait()
    s3_server.stop()
    try:
        hits = client.search(picture("blue"), collection="away").hits
        assert [hit.name for hit in hits] == ["blue.png"]
        answer = content(server, client, "away")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert post(server, picture("yellow"), "away").status_code == 503
    finally:
        s3_server.start()
    assert content(server, client, "away").status_code == 200


def test_a_slow_storage_delays_and_loses_nothing(server, client, picture, s3_server):
    s3_server.fault = slow(0.5)
    try:
        answer = post(server, picture("white"), "slow")
    finally:
        s3_server.fault = None
    assert answer.status_code == 202
    assert job_of(client, answer).wait().indexed == 1


def test_a_service_starts_and_goes_on_while_the_storage_is_away(server, client, picture, s3_server):
    job_of(client, post(server, picture("black"), "restarted")).wait()
    s3_server.stop()
    try:
        server.kill()
        server.start()
        assert client.count(collection="restarted") == 1
    finally:
        s3_server.start()
    answer = content(server, client, "restarted")
    assert (answer.status_code, answer.content) == (200, picture("black").read_bytes())
