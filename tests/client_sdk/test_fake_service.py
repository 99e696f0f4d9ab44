"""The fake service answers the real client as the service does."""

import asyncio
import io

import httpx
import pytest
from PIL import Image

from client_sdk import (
    AsyncClient,
    Client,
    CollectionNotFound,
    Conflict,
    ImageNotFound,
    InvalidArgument,
    Unauthenticated,
)
from tests.support.fake_service import FakeService


def plain(colour):
    encoded = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(encoded, "PNG")
    return encoded.getvalue()


RED, DARK_RED, BLUE = plain("red"), plain("#c00000"), plain("blue")


@pytest.fixture
def client():
    with Client(transport=FakeService().transport) as client:
        yield client


def test_pictures_are_indexed_searched_and_deleted(client):
    pictures = [("red.png", RED), ("blue.png", BLUE), ("again.png", RED), ("no.png", b"no")]
    job = client.upload(pictures, metadata={"shop": "north"}).wait()
    assert (job.total, job.indexed, job.duplicates, job.failed) == (4, 2, 1, 1)
    assert job.errors[0].code == "unsupported_media_type"
    hits = client.search(DARK_RED).hits
    assert [hit.name for hit in hits] == ["red.png", "blue.png"]
    assert hits[0].score > 0.9 > 0 > hits[1].score
    assert [hit.verdict for hit in hits] == ["similar", "similar"]
    same = client.search(hits[1].image_id, top_k=1)
    assert (same.hits[0].score, same.hits[0].verdict) == (pytest.approx(1), "duplicate")
    assert same.lines == client.info().lines
    assert client.count(filter='shop == "north" and $width == 40') == 2
    assert client.delete(hits[0].image_id) == 1
    assert [image.name for image in client.images()] == ["blue.png"]
    with pytest.raises(ImageNotFound):
        hits[0].content()


def test_the_same_upload_under_a_key_is_one_job(client):
    first = client.upload(RED, idempotency_key="a")
    assert client.upload(RED, idempotency_key="a").id == first.id
    assert [job.id for job in client.jobs()] == [first.id]
    with pytest.raises(Conflict):
        client.upload(BLUE, idempotency_key="a")


def test_errors_are_those_of_the_contract(client):
    for question, error in (
        (lambda: client.search(RED, top_k=0), InvalidArgument),
        (lambda: client.delete([]), InvalidArgument),
        (lambda: client.count(collection="hats"), CollectionNotFound),
        (lambda: client.create_collection("default"), Conflict),
    ):
        with pytest.raises(error):
            question()
    with (
        Client(transport=FakeService(token="t" * 20).transport) as stranger,
        pytest.raises(Unauthenticated),
    ):
        stranger.info()


def test_a_folder_is_trained_by_path_and_followed(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "red.png").write_bytes(RED)
    (tmp_path / "blue.gif").write_bytes(BLUE)

    async def run():
        async with AsyncClient(transport=FakeService(root=tmp_path).transport) as client:
            job = await client.train(".", ignore="*.gif")
            seen = [one async for one in job.events()]
            return seen[-1], [image.source async for image in client.images()]

    job, sources = asyncio.run(run())
    assert (job.state, job.indexed) == ("completed", 1)
    assert sources == [f"{tmp_path.name}/deep/red.png"]


def test_pictures_are_compared_and_near_ones_are_grouped():
    fake = FakeService()
    with Client(transport=fake.transport) as client:
        client.upload([RED, plain("#fe0000"), BLUE])
    with httpx.Client(base_url="http://fake", transport=fake.transport) as http:
        files = {"a": RED, "b": BLUE}
        answer = http.post("/api/v2/compare", files=files).json()
        assert (answer["verdict"], answer["evidence"]["same_bytes"]) == ("similar", False)
        answer = http.post("/api/v2/compare", data={"a_id": "1"}, files={"b": RED}).json()
        assert (answer["verdict"], answer["evidence"]["same_bytes"]) == ("duplicate", True)
        (group,) = http.post("/api/v2/duplicates", json={}).json()["groups"]
        assert [image["id"] for image in group["images"]] == [1, 2]
        assert http.post("/api/v2/compare", json={"a_id": 1}).status_code == 422
