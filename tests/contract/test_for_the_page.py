"""Calls of the page that other clients do not make."""

import base64
import json
import os
import re

import pytest

from client_sdk.schemas import JobState
from tests.support.pictures import png


def _images(http, **params):
    return http.get("/api/v2/images", params=params).json()


def _names(http, **params):
    """Return the names of all pages."""
    names, page = [], {"next_cursor": None}
    while not names or page["next_cursor"]:
        page = _images(http, **params, cursor=page["next_cursor"] or ())
        names += [image["name"] for image in page["images"]]
    return names


def _cursor(place):
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def test_a_search_says_what_its_scores_mean(http, gallery):
    (first, *_) = _images(http, collection=gallery)["images"]
    sent = {"image_id": first["id"], "collection": gallery}
    found = http.post("/api/v2/search", json=sent).json()
    lines = found["lines"]

    assert 0 < lines["near_duplicate"] <= lines["duplicate"] < 1
    assert found["hits"][0]["verdict"] == "duplicate"
    for hit in found["hits"]:
        assert (hit["verdict"] == "similar") == (hit["score"] < lines["near_duplicate"])
    assert http.get("/api/v2/info").json()["lines"] == lines


def test_known_digests_have_the_ids_of_their_images(http, gallery):
    (first, *_) = _images(http, collection=gallery)["images"]
    asked = {"collection": gallery, "sha256": [first["sha256"], "0" * 64]}

    answer = http.post("/api/v2/known", json=asked).json()

    assert answer["known"] == [first["sha256"]]
    assert answer["ids"] == {first["sha256"]: first["id"]}


@pytest.mark.parametrize("limit", [2, 100])
def test_images_are_listed_in_the_order_that_is_asked_for(limit, http, gallery):
    by_id = _names(http, collection=gallery, limit=limit)

    assert _names(http, collection=gallery, limit=limit, sort="-id") == by_id[::-1]
    assert _names(http, collection=gallery, limit=limit, sort="name") == sorted(by_id)
    oldest_first = _names(http, collection=gallery, limit=limit, sort="created_at")
    newest_first = _names(http, collection=gallery, limit=limit, sort="-created_at")
    assert sorted(oldest_first) == sorted(by_id)
    assert newest_first == oldest_first[::-1]


def test_images_whose_names_are_no_text_are_listed_by_name(http, client, folder, collection):
    for number, colour in enumerate(("red", "green", "blue")):
        (folder / os.fsdecode(b"d\xe9but%d.png" % number)).write_bytes(png(colour))
    client.train(folder, collection=collection).wait()

    assert _names(http, collection=collection, limit=1, sort="name") == [
        f"d\ufffdbut{number}.png" for number in range(3)
    ]


@pytest.mark.parametrize("sort", ["id", "name", "created_at"])
@pytest.mark.parametrize("cursor", ["x", "W10", "WyJhIiwiYiJd", "WyJhIl0", "é"])
def test_a_cursor_of_nobody_is_refused(sort, cursor, http, gallery):
    answer = http.get(
        "/api/v2/images", params={"collection": gallery, "sort": sort, "cursor": cursor}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")


@pytest.mark.parametrize(
    ("sort", "place"),
    [
        ("created_at", ["2026-01-01T00:00:00+00:00", 10**20]),
        ("created_at", ["0001-01-01T00:00:00+14:00", 1]),
        ("-created_at", ["9999-12-31T23:59:59-14:00", 1]),
        ("name", ["a", -(10**20)]),
    ],
)
def test_a_cursor_of_a_place_that_cannot_be_is_refused(sort, place, http, gallery):
    params = {"collection": gallery, "sort": sort, "cursor": _cursor(place)}
    answer = http.get("/api/v2/images", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")


@pytest.mark.parametrize("place", [["\ud800"], [1], [], {}])
def test_a_cursor_of_a_folder_that_cannot_be_is_refused(place, http):
    answer = http.get("/api/v2/roots/pictures/entries", params={"cursor": _cursor(place)})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")


def test_an_unknown_order_is_refused(http):
    assert http.get("/api/v2/images", params={"sort": "size"}).status_code == 422


def test_the_folders_below_a_root_are_listed_page_by_page(http, folder, server):
    for name in ("b", "a", "c", "a/deeper"):
        (folder / name).mkdir()
    (folder / "picture.jpg").write_bytes(b"x")
    (folder / "link").symlink_to("/etc")
    (root,) = http.get("/api/v2/roots").json()["roots"]
    assert root == {"name": server.images.name, "available": True}
    entries = f"/api/v2/roots/{root['name']}/entries"

    first = http.get(entries, params={"path": folder.name, "limit": 2}).json()
    again = {"path": folder.name, "limit": 2, "cursor": first["next_cursor"]}
    second = http.get(entries, params=again).json()

    assert first["path"] == folder.name
    assert [one["name"] for one in first["folders"]] == ["a", "b"]
    assert [one["name"] for one in second["folders"]] == ["c"]
    assert [first["files"], second["next_cursor"]] == [1, None]
    deeper = http.get(entries, params={"path": f"{folder.name}/a"}).json()
    assert [one["name"] for one in deeper["folders"]] == ["deeper"]


def test_folders_whose_names_are_no_text_are_listed_page_by_page(http, folder):
    for name in (b"d\x80", b"d\xc3\xa9", b"d\xe8", b"d\xe9"):
        (folder / os.fsdecode(name)).mkdir()
    entries = "/api/v2/roots/pictures/entries"
    names, page = [], {"next_cursor": None}
    while not names or page["next_cursor"]:
        params = {"path": folder.name, "limit": 1, "cursor": page["next_cursor"] or ()}
        page = http.get(entries, params=params).json()
        names += [one["name"] for one in page["folders"]]
        assert len(names) <= 4
    assert names == ["d\ufffd", "d\u00e9", "d\ufffd", "d\ufffd"]


@pytest.mark.parametrize(
    ("root", "path", "code"),
    [
        ("pictures", "..", "forbidden"),
        ("pictures", "none", "path_not_found"),
        ("elsewhere", "", "forbidden"),
        ("pictures", "/etc", "path_not_found"),
    ],
)
def test_nothing_outside_of_a_root_is_listed(root, path, code, http):
    answer = http.get(f"/api/v2/roots/{root}/entries", params={"path": path})
    assert answer.json()["code"] == code


def test_requests_of_one_upload_are_found_by_its_name(http, client, collection, photographs):
    sent = {"collection": collection, "batch": f"of {collection}"}
    for photo in sorted(photographs.iterdir())[:2]:
        files = {"files": (photo.name, photo.read_bytes())}
        job = http.post("/api/v2/train", data=sent, files=files).json()
        assert job["batch"] == sent["batch"]

    found = http.get("/api/v2/jobs", params={"batch": sent["batch"]}).json()["jobs"]

    assert [one["batch"] for one in found] == [sent["batch"]] * 2
    assert http.get("/api/v2/jobs", params={"batch": "another"}).json()["jobs"] == []
    assert client.job(found[0]["id"]).wait().state is JobState.COMPLETED


def test_a_name_of_an_upload_has_a_limit(http, collection):
    sent = {"collection": collection, "batch": "x" * 65}
    answer = http.post("/api/v2/train", data=sent, files={"files": ("a.jpg", b"x")})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")


def test_a_thumbnail_under_its_digest_is_kept_for_good(http, gallery):
    (first, *_) = _images(http, collection=gallery)["images"]
    assert first["sha256"].startswith(first["thumbnail_url"].split("digest=")[1])

    def control(url):
        return http.get(url).headers["cache-control"]

    assert "immutable" in control(first["thumbnail_url"])
    bare = first["thumbnail_url"].split("?")[0]
    for url in (bare, f"{bare}?digest=", f"{bare}?digest={'0' * 16}", f"{bare}?digest=0"):
        assert control(url) == "private, no-cache"


def test_long_answers_are_compressed_and_pictures_are_not(http, gallery):
    (first, *_) = _images(http, collection=gallery)["images"]
    assert http.get("/openapi.json").status_code == 200
    listed = http.get("/api/v2/images", params={"collection": gallery})
    assert listed.headers["content-encoding"] == "gzip"
    for url in (first["content_url"], first["thumbnail_url"], "/api/v2/count"):
        assert "content-encoding" not in http.get(url).headers


def test_opening_the_page_takes_at_most_60_kilobytes(http):
    page = http.get("/").text
    files = set(re.findall('="(static/[^"]+)"', page))
    assert any(path.endswith("/app.js") for path in files)

    def weight(path):
        with http.stream("GET", path) as answer:
            assert answer.status_code == 200
            return sum(map(len, answer.iter_raw()))

    assert weight("/") + sum(map(weight, files)) <= 60_000
