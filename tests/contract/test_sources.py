"""Sources of pictures, by the client over the real service: changes, manifests, archives."""

import asyncio
import io
import json
import os
import shutil
import time
import zipfile

import pytest

from client_sdk import (
    AsyncClient,
    Client,
    CollectionNotFound,
    Conflict,
    InvalidArgument,
    TooLarge,
)
from client_sdk.schemas import JobState
from tests.support.waiting import wait_until


@pytest.fixture
def two(folder, photographs):
    """Return the folder with two photographs that are an hour old."""
    for name in ("coins.jpg", "ihc.jpg"):
        shutil.copy(photographs / name, folder)
        os.utime(folder / name, (time.time() - 3600,) * 2)
    return folder


def test_a_folder_is_looked_at_trained_and_pruned(client, collection, two):
    looked = client.train(two, collection=collection, dry_run=True).wait()
    assert (looked.dry_run, looked.total, looked.indexed) == (True, 2, 2)
    assert client.count(collection=collection) == 0
    assert client.train(two, collection=collection).wait().indexed == 2
    (two / "coins.jpg").unlink()
    job = client.train(two, collection=collection, prune=True).wait()
    assert (job.unchanged, job.duplicates, job.removed, job.total) == (1, 1, 1, 1)
    assert [image.name for image in client.images(collection=collection)] == ["ihc.jpg"]
    again = client.train(two, collection=collection, verify_bytes=True).wait()
    assert (again.unchanged, again.duplicates) == (0, 1)


def test_a_dry_run_needs_its_collection(client, two):
    with pytest.raises(CollectionNotFound):
        client.train(two, collection="nobody-made-it", dry_run=True)


def test_a_manifest_adds_with_metadata_and_tells_the_lines_that_are_wrong(client, collection, two):
    lines = [{"path": "coins.jpg", "metadata": {"shop": "north"}}, {"pth": "ihc.jpg"}]
    (two / "list.ndjson").write_text("\n".join(map(json.dumps, lines)))

    job = client.train(manifest=two / "list.ndjson", collection=collection).wait()

    assert (job.indexed, job.failed) == (1, 1)
    (error,) = job.errors
    assert error.source == f"pictures/{two.name}/list.ndjson:2"
    assert "line 2" in error.detail
    assert client.count(collection=collection, filter='shop == "north"') == 1


def test_the_other_client_does_the_same(server, collection, two):
    async def run():
        async with AsyncClient(server.url) as client:
            looked = await (
                await client.train(two, collection=collection, dry_run=True, prune=True)
            ).wait()
            sent = await (
                await client.upload_manifest(b"path\ncoins.jpg\n", path=two, collection=collection)
            ).wait()
            (two / "l.csv").write_text("path\nihc.jpg\n")
            named = await (await client.train(manifest=two / "l.csv", collection=collection)).wait()
            return looked.indexed, sent.indexed, named.indexed

    assert asyncio.run(run()) == (2, 1, 1)


def test_a_manifest_can_be_sent(client, collection, two):
    client.train(two, collection=collection).wait()
    table = "op,path,price\nadd,coins.jpg,2.5\ndelete,ihc.jpg,\n"

    job = client.upload_manifest(
        ("l.csv", table.encode()), path=two, collection=collection, metadata={"by": "me"}
    ).wait()

    assert (job.duplicates, job.removed, job.failed) == (1, 1, 0)
    (image,) = client.images(collection=collection)
    assert (image.name, image.metadata) == ("coins.jpg", {"price": 2.5, "by": "me"})


def test_a_manifest_can_be_a_field_of_text(http, collection, two):
    fields = {"manifest": "path\ncoins.jpg\n", "path": str(two), "collection": collection}
    answer = http.post("/api/v2/train", files={"dry_run": (None, "true")}, data=fields)
    assert (answer.status_code, answer.json()["dry_run"]) == (202, True)


def test_a_manifest_and_files_do_not_go_together(http, collection):
    parts = {"files": b"x", "manifest": b"path\n"}
    answer = http.post("/api/v2/train", files=parts, data={"collection": collection})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")


def test_an_archive_is_the_pictures_in_it(client, collection, photographs):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(photographs / "coins.jpg", "a/coins.jpg")
        archive.writestr("../b.jpg", b"out")
        archive.writestr("letter.txt", b"Dear all")

    job = client.upload(("photos.zip", packed.getvalue()), collection=collection).wait()

    assert (job.state, job.total, job.indexed) == (JobState.COMPLETED, 3, 1)
    assert {error.source: error.code for error in job.errors} == {
        "../b.jpg": "forbidden",
        "letter.txt": "unsupported_media_type",
    }
    assert [image.source for image in client.images(collection=collection)] == ["a/coins.jpg"]


def test_a_bomb_is_refused_and_leaves_nothing(client, collection, server):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.bmp", bytes(70 * 2**20))
    before = sorted((server.data_dir / "uploads").rglob("*"))
    with pytest.raises(TooLarge, match="bomb"):
        client.upload(("bomb.zip", packed.getvalue()), collection=collection)
    with pytest.raises(InvalidArgument, match="truncated"):
        client.upload(("half.zip", packed.getvalue()[:9000]), collection=collection)
    assert sorted((server.data_dir / "uploads").rglob("*")) == before


def test_a_watched_root_follows_its_folder_also_while_nobody_looked(new_server, photographs):
    server = new_server(LOOKALIKE_WATCH="pictures=seen", LOOKALIKE_WATCH_PRUNE="true")
    shutil.copy(photographs / "coins.jpg", server.images)
    server.start()
    with Client(server.url) as client:
        _await_names(client, {"coins.jpg"})
        (server.images / "new").mkdir()
        shutil.copy(photographs / "ihc.jpg", server.images / "new")
        _await_names(client, {"coins.jpg", "ihc.jpg"})
        (server.images / "coins.jpg").unlink()
        _await_names(client, {"ihc.jpg"})
        server.kill()
        shutil.copy(photographs / "rocket.jpg", server.images)
        server.start()
        _await_names(client, {"ihc.jpg", "rocket.jpg"})
    server.stop()


def _await_names(client, wanted):
    wait_until(
        lambda: _names(client) == wanted, pause=0.1, message=lambda: f"there are {_names(client)}"
    )


def _names(client):
    try:
        return {image.name for image in client.images(collection="seen")}
    except CollectionNotFound:
        return set()


def test_a_manifest_and_an_archive_are_worked_off_once_under_their_keys(client, collection, two):
    def sent(line, key):
        manifest = ("list.json", json.dumps(line).encode())
        return client.upload_manifest(
            manifest, path=two.name, collection=collection, idempotency_key=key
        )

    def archive(name, key):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as made:
            made.write(two / name, name, zipfile.ZIP_STORED)
        return client.upload(("a.zip", data.getvalue()), collection=collection, idempotency_key=key)

    for send, one, other in (
        (sent, {"path": "coins.jpg"}, {"path": "ihc.jpg"}),
        (archive, "coins.jpg", "ihc.jpg"),
    ):
        key = f"{collection} {send.__name__}"
        first = send(one, key).wait()
        assert (first.done, first.failed) == (1, 0)
        assert send(one, key).id == first.id
        with pytest.raises(Conflict, match="another request"):
            send(other, key)


def test_a_line_that_failed_is_tried_again_once_it_can_go_well(client, collection, two):
    (two / "list.json").write_text('{"path": "late.jpg"}\n{"oops": 1}')
    job = client.train(manifest=two / "list.json", collection=collection).wait()
    assert (job.total, job.failed) == (2, 2)
    shutil.copy(two / "ihc.jpg", two / "late.jpg")
    again = job.retry().wait()
    assert (again.retry_of, again.total, again.indexed) == (job.id, 1, 1)


def test_only_the_unknown_files_of_a_folder_are_sent(server, client, collection, photographs):
    client.upload(photographs / "coins.jpg", collection=collection).wait()

    async def run():
        async with AsyncClient(server.url) as asking:
            return await asking.upload_folder(photographs, collection=collection, batch_files=2)

    report = asyncio.run(run())
    assert (report.found, report.known, report.sent, report.indexed) == (6, 1, 5, 5)
    assert report.failed == ()
    again = client.upload_folder(photographs, collection=collection)
    assert (again.known, again.jobs) == (6, ())
    new = client.upload_folder(photographs, collection=f"{collection}-new", ignore="*.jpg")
    assert new.found == 0
