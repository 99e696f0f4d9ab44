import io
import json

import httpx
import pytest

from client_sdk.cli.app import run
from client_sdk.cli.commands import Surroundings

COUNT = {"collection": "default", "count": 5}


def deleted(number):
    return {"collection": "default", "deleted": number}


def sent(ran):
    return json.loads(ran.requests[-1].content)


def test_images_of_all_pages_are_listed(lookalike, image):
    pages = [
        {"images": [image(), image(id=8)], "next_cursor": "8"},
        {"images": [image(id=9, metadata={"shop": "north"})], "next_cursor": None},
    ]
    ran = lookalike("images", "--prefix", "photos/", answers={"images": pages})
    assert [row[0] for row in ran.rows] == ["7", "8", "9"]
    assert ran.rows[2] == ["9", "JPEG", "4x3", "99", "photos/cat.jpg", '{"shop": "north"}']
    assert ran.requests[0].url.params["prefix"] == "photos/"


def test_json_has_one_image_per_line(lookalike, image):
    page = {"images": [image(), image(id=8)], "next_cursor": None}
    ran = lookalike("images", "--json", answers={"images": page})
    assert [one["id"] for one in ran.documents] == [7, 8]
    assert image().items() <= ran.documents[0].items()


def test_an_image_is_shown_with_all_its_sources(lookalike, image):
    places = [
        {"kind": "file", "root": "photos", "path": "cat.jpg"},
        {"kind": "upload", "root": None, "path": "copy.jpg"},
    ]
    ran = lookalike("images", "show", "7", answers={"images/7": image(sources=places)})
    assert ["sources", "photos/cat.jpg, copy.jpg"] in ran.rows


def test_get_writes_to_a_file(lookalike, tmp_path, image):
    content = httpx.Response(200, content=b"\xff\xd8")
    answers = {"images/7": image(), "images/7/content": content}
    ran = lookalike("images", "get", "7", "-o", str(tmp_path / "a.jpg"), answers=answers)
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / "a.jpg").read_bytes() == b"\xff\xd8"


def test_get_writes_unchanged_bytes_to_a_pipe(image):
    def answer(request):
        if request.url.path.endswith("/thumbnail"):
            return httpx.Response(200, content=b"\xff\xd8\r\n")
        return httpx.Response(200, json=image())

    pipe = io.TextIOWrapper(io.BytesIO())
    around = Surroundings(io.BytesIO(), pipe, io.StringIO(), httpx.MockTransport(answer))
    assert run(["images", "get", "7", "--size", "64"], around) == 0
    assert pipe.buffer.getvalue() == b"\xff\xd8\r\n"


def test_get_does_not_write_to_a_terminal(lookalike):
    ran = lookalike("images", "get", "7", tty=True)
    assert (ran.code, ran.out, ran.requests) == (2, "", [])


@pytest.mark.parametrize(
    ("arguments", "after"),
    [
        (["price=20", "tags=[1]"], {"shop": "north", "sold": True, "price": 20, "tags": [1]}),
        (["shop=0x1"], {"shop": "0x1", "sold": True}),
        (["shop=south", "--unset", "sold"], {"shop": "south"}),
        (["shop=south", "--replace"], {"shop": "south"}),
        (["--replace"], {}),
    ],
)
def test_metadata_is_set(lookalike, image, arguments, after):
    answers = {"images/7": image(metadata={"shop": "north", "sold": True})}
    ran = lookalike("images", "set", "7", *arguments, answers=answers)
    assert ran.code == 0
    assert ran.requests[-1].method == "PATCH"
    assert sent(ran) == {"metadata": after}


def test_images_are_deleted_by_their_ids(lookalike):
    ran = lookalike("delete", "7", "id:8", answers={"delete": deleted(2)})
    assert (ran.code, ran.out, sent(ran)["ids"]) == (0, "2\n", [7, 8])


@pytest.mark.parametrize(
    "stdin",
    [
        "7\n8\n",
        "7\tJPEG\t4x3\tphotos/a b.jpg\n\n8\tPNG\n",
        '{"id": 7, "name": "9"}\n{"rank": 1, "image_id": 8}\n',
    ],
)
def test_ids_are_read_from_a_pipe_in_every_output_form(lookalike, stdin):
    ran = lookalike("delete", "-", answers={"delete": deleted(2)}, stdin=stdin.encode())
    assert sent(ran)["ids"] == [7, 8]


@pytest.mark.parametrize(
    "stdin",
    [
        *("7\nseven\n", '{"name": "7"}\n', "[7]\n", "7.5\n", "-7\n"),
        *('{"id": "7"}\n', '{"id": true}\n', '{"id": 7.0}\n', '{"id": [7]}\n'),
    ],
)
def test_invalid_ids_in_a_pipe_delete_nothing(lookalike, stdin):
    ran = lookalike("delete", "-", stdin=stdin.encode())
    assert (ran.code, ran.requests) == (2, [])


def test_deleting_nothing_exits_with_1(lookalike):
    ran = lookalike("delete", "7", "--json", answers={"delete": deleted(0)})
    assert (ran.code, ran.document) == (1, deleted(0))


def test_images_are_deleted_by_a_filter(lookalike):
    ran = lookalike("delete", "--filter", "price < 20", answers={"delete": deleted(4)})
    assert (ran.out, sent(ran)["filter"]) == ("4\n", "price < 20")


def test_deleting_all_images_needs_yes(lookalike):
    answers = {"count": COUNT, "delete": deleted(5)}
    refused = lookalike("delete", "--all", answers=answers)
    assert (refused.code, [one.method for one in refused.requests]) == (2, ["GET"])
    assert "this would delete all 5 images of default" in refused.err
    assert lookalike("delete", "--all", "--yes", answers=answers).out == "5\n"


def test_deleting_a_collection_needs_yes(lookalike):
    answers = {"count": COUNT, "collections/hats": httpx.Response(204)}
    refused = lookalike("collections", "delete", "hats", answers=answers)
    assert (refused.code, len(refused.requests)) == (2, 1)
    ran = lookalike("collections", "delete", "hats", "-y", "--json", answers=answers)
    assert ran.document == {"collection": "hats", "deleted": 5}
    assert ran.requests[-1].method == "DELETE"
