"""A whole service with image roots in S3, while the storage is there, changed and away."""

import io
import json

import httpx
import pytest
from PIL import Image

from client_sdk import Client
from client_sdk.errors import NotReady, PathNotFound
from client_sdk.schemas import JobState
from tests.support.object_storage import BUCKET, refusing
from tests.support.waiting import wait_until

COLOURS = ("red", "green", "blue", "white")


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def server(new_server, s3_server):
    s3_server.empty()
    for colour in COLOURS:
        s3_server.put(f"shop/coats/{colour}.png", picture(colour))
    s3_server.put("new/black.png", picture("black"))
    roots = f"shop=s3://{BUCKET}/shop:new=s3://{BUCKET}/new"
    started = new_server(
        LOOKALIKE_IMAGE_ROOTS=roots,
        LOOKALIKE_WATCH="new=watched",
        LOOKALIKE_WATCH_PRUNE="1",
        LOOKALIKE_WATCH_POLL_SECONDS="0.5",
        **s3_server.environment,
    ).start()
    yield started
    started.stop()


@pytest.fixture
def client(server):
    with Client(server.url, retries=0, timeout=120) as opened:
        yield opened


@pytest.fixture
def shop(s3_server):
    """The server, whose `shop` has its first pictures again afterwards."""
    yield s3_server
    s3_server.fault = None
    for colour in COLOURS:
        s3_server.put(f"shop/coats/{colour}.png", picture(colour))


def train(client, collection, **options):
    return client.train("coats", root="shop", collection=collection, **options).wait()


def ask(server, path):
    return httpx.get(f"{server.url}/api/v2/{path}", timeout=120)


def paths(client, collection):
    return sorted(
        source.path for each in client.images(collection=collection) for source in each.sources
    )


def reads(s3_server):
    return [path for method, path in s3_server.requests if method == "GET" and "/shop/" in path]


def test_pictures_are_trained_by_address_found_and_shown(server, client, s3_server):
    job = client.train(f"s3://{BUCKET}/shop", collection="shown").wait()
    assert (job.state, job.indexed, job.failed) == (JobState.COMPLETED, 4, 0)
    (first, *_) = client.search(picture("green"), collection="shown").hits
    assert first.name == "green.png"
    assert first.source == "shop/coats/green.png"
    content = ask(server, f"images/{first.image_id}/content")
    assert (content.status_code, content.content) == (200, picture("green"))
    thumbnail = ask(server, f"images/{first.image_id}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/webp"


def test_the_roots_and_their_folders_are_listed(server):
    roots = ask(server, "roots").json()["roots"]
    assert roots == [{"name": "shop", "available": True}, {"name": "new", "available": True}]
    top = ask(server, "roots/shop/entries").json()
    assert ([each["name"] for each in top["folders"]], top["files"]) == (["coats"], 0)
    assert ask(server, "roots/shop/entries?path=coats").json()["files"] == 4
    assert ask(server, "roots/shop/entries?path=hats").status_code == 404


def test_unchanged_objects_are_not_read_again(client, shop):
    assert train(client, "again").indexed == 4
    shop.requests.clear()
    job = train(client, "again")
    assert (job.duplicates, job.unchanged, job.failed) == (4, 4, 0)
    assert reads(shop) == []
    assert train(client, "again", verify_bytes=True).unchanged == 0
    assert len(reads(shop)) == 4


def test_changed_and_deleted_objects_are_followed(client, shop):
    train(client, "changed")
    shop.put("shop/coats/red.png", picture("yellow"))
    shop.delete("shop/coats/blue.png")
    job = train(client, "changed", prune=True)
    assert (job.state, job.indexed, job.unchanged, job.removed) == (JobState.COMPLETED, 1, 2, 2)
    assert paths(client, "changed") == [f"coats/{name}.png" for name in ("green", "red", "white")]
    (image,) = [each for each in client.images(collection="changed") if each.name == "red.png"]
    assert image.content() == picture("yellow")


def test_an_original_that_changed_or_has_gone_is_not_shown(server, client, shop):
    train(client, "lost")
    ids = {image.name: image.id for image in client.images(collection="lost")}
    shop.put("shop/coats/red.png", picture("yellow"))
    shop.delete("shop/coats/blue.png")
    for name in ("red.png", "blue.png"):
        answer = ask(server, f"images/{ids[name]}/content")
        assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")


def test_a_manifest_in_the_bucket_names_its_neighbours(client, shop):
    lines = [{"path": "red.png", "metadata": {"price": 20}}, {"path": "none.png"}]
    text = "\n".join(map(json.dumps, lines))
    shop.put("shop/coats/list.ndjson", text.encode())
    try:
        options = {"root": "shop", "collection": "listed"}
        job = client.train(manifest="coats/list.ndjson", **options).wait()
    finally:
        shop.delete("shop/coats/list.ndjson")
    assert (job.indexed, job.failed) == (1, 1)
    (error,) = job.errors
    assert (error.source, error.code) == ("shop/coats/none.png", "path_not_found")
    (image,) = client.images(collection="listed")
    assert image.metadata == {"price": 20}


def test_a_watched_prefix_is_followed(client, s3_server):
    def watched():
        return paths(client, "watched")

    wait_until(lambda: watched() == ["black.png"])
    s3_server.put("new/grey.png", picture("grey"))
    wait_until(lambda: watched() == ["black.png", "grey.png"])
    s3_server.delete("new/black.png")
    wait_until(lambda: watched() == ["grey.png"])


def test_while_the_storage_is_away_nothing_is_pruned_and_jobs_wait(server, client, shop):
    train(client, "away")
    shop.stop()
    try:
        roots = ask(server, "roots").json()["roots"]
        assert roots[0] == {"name": "shop", "available": False}
        with pytest.raises(NotReady, match="image root 'shop' does not answer"):
            train(client, "away", prune=True)
        assert [hit.name for hit in client.search(picture("blue"), collection="away").hits][:1] == [
            "blue.png"
        ]
        (image, *_) = client.images(collection="away")
        assert ask(server, f"images/{image.id}/content").status_code == 503
    finally:
        shop.start()
    assert len(paths(client, "away")) == 4
    log = server.log.stat().st_size
    shop.fault = refusing("HEAD")  # the walk goes on, and no object can be looked up
    shop.delete("shop/coats/blue.png")
    job = client.train(root="shop", path=".", collection="away", prune=True, ignore=["*.txt"])
    wait_until(lambda: "ingest waits for the object storage" in server.log.read_text()[log:])
    assert len(paths(client, "away")) == 4
    shop.fault = None
    assert job.wait().removed == 1
    assert paths(client, "away") == [f"coats/{name}.png" for name in ("green", "red", "white")]


def test_a_job_waits_while_its_objects_cannot_be_read(server, client, shop):
    log = server.log.stat().st_size
    shop.fault = refusing("HEAD")
    job = client.train(".", root="shop", collection="waiting")
    wait_until(lambda: "ingest waits for the object storage" in server.log.read_text()[log:])
    assert client.job(job.id).state is not JobState.COMPLETED
    shop.fault = None
    job = job.wait()
    assert (job.state, job.indexed, job.failed) == (JobState.COMPLETED, 4, 0)


def test_a_service_starts_and_goes_on_while_the_storage_is_away(server, client, shop):
    train(client, "restarted")
    shop.stop()
    try:
        server.kill()
        server.start()
        assert client.count(collection="restarted") == 4
        assert "image root 'shop' does not answer" in server.log.read_text()
    finally:
        shop.start()
    (image, *_) = client.images(collection="restarted")
    assert ask(server, f"images/{image.id}/content").status_code == 200
    assert train(client, "restarted").unchanged == 4


def test_a_missing_folder_is_a_404_and_the_log_has_no_credentials(server, client):
    with pytest.raises(PathNotFound, match="'hats' does not exist"):
        client.train("hats", root="shop", collection="none")
    log = server.log.read_text()
    for secret in ("secret", "AWS_"):
        assert secret not in log
