"""Version 1: the wire format of the replaced system, and its old defects, one test each."""

import math
import re
import shutil
from urllib.parse import unquote

import pytest

from tests.support.waiting import wait_until


def _search(http, path, **fields):
    with path.open("rb") as file:
        return http.post("/api/v1/search", files={"file": file}, data=fields)


def _train(http, folder, table):
    answer = http.post("/api/v1/train", json={"File": str(folder), "Table": table})
    assert (answer.status_code, answer.text) == (200, "Start")

    def counted():
        done, total = map(int, re.findall(r"\d+", http.get("/api/v1/process").text))
        count = http.post("/api/v1/count", json={"Table": table})
        return total and done == total and count.status_code == 200 and count

    return int(wait_until(counted, pause=0.05).text)


@pytest.fixture
def trained(http, collection, folder, photographs):
    shutil.copytree(photographs, folder / "all")
    assert _train(http, folder, collection) == 6
    return collection


def test_a_search_gives_pairs_of_a_url_that_loads_and_a_rising_distance(http, trained, photographs):
    answer = _search(http, photographs / "coffee.jpg", Table=trained, Num="6")

    pairs = answer.json()
    assert len(pairs) == 6
    distances = [distance for _, distance in pairs]
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(0, abs=0.01)
    assert all(url.endswith(".jpg") for url, _ in pairs)
    assert pairs[0][0].endswith("/coffee.jpg")
    loaded = http.get(pairs[0][0])
    assert loaded.headers["content-type"] == "image/jpeg"
    assert loaded.content == (photographs / "coffee.jpg").read_bytes()


def test_an_address_ends_with_the_name_of_the_file(http, collection, folder, photographs):
    name = "M\u00fcller #1? 100%.jpg"
    shutil.copy(photographs / "coins.jpg", folder / name)
    _train(http, folder, collection)
    ((url, _),) = _search(http, photographs / "coins.jpg", Table=collection).json()
    assert unquote(url.rsplit("/", 1)[1]) == name
    assert http.get(url).content == (photographs / "coins.jpg").read_bytes()


def test_num_and_page_are_1_and_0_where_they_are_missing(http, trained, photographs):
    assert len(_search(http, photographs / "coins.jpg", Table=trained).json()) == 1


def test_page_1_has_its_own_images_and_its_own_distances(http, trained, photographs):
    whole = _search(http, photographs / "coins.jpg", Table=trained, Num="4").json()

    page = _search(http, photographs / "coins.jpg", Table=trained, Num="2", Page="1").json()

    assert [url for url, _ in page] == [url for url, _ in whole[2:4]]
    assert [d for _, d in page] == pytest.approx([d for _, d in whole[2:4]], abs=1e-3)


def test_images_of_one_name_from_two_folders_stay_two(http, collection, folder, photographs):
    for name, picture in (("a", "coins.jpg"), ("b", "rocket.jpg")):
        (folder / name).mkdir()
        shutil.copy(photographs / picture, folder / name / "same.jpg")

    assert _train(http, folder, collection) == 2

    pairs = _search(http, photographs / "coins.jpg", Table=collection, Num="5").json()
    assert len({url for url, _ in pairs}) == 2


def test_a_missing_image_does_not_shift_later_distances(http, client, trained, photographs):
    before = _search(http, photographs / "coins.jpg", Table=trained, Num="6").json()
    second = int(before[1][0].split("/")[-2])

    client.delete([second], collection=trained)

    after = _search(http, photographs / "coins.jpg", Table=trained, Num="6").json()
    expected = [before[0], *before[2:]]
    assert [url for url, _ in after] == [url for url, _ in expected]
    assert [d for _, d in after] == pytest.approx([d for _, d in expected], abs=1e-3)


def test_every_extension_is_found_and_folders_are_walked(http, collection, folder, photographs):
    deep = folder / "one" / "two"
    deep.mkdir(parents=True)
    shutil.copy(photographs / "coins.jpg", deep / "COINS.JPEG")
    shutil.copy(photographs / "rocket.jpg", folder / "rocket")

    assert _train(http, folder, collection) == 2


def test_progress_reaches_the_end_with_a_bad_file_and_the_rest_is_indexed(
    http, collection, folder, photographs
):
    (folder / "0.jpg").write_text("not a picture")
    shutil.copy(photographs / "coins.jpg", folder / "1.jpg")

    assert _train(http, folder, collection) == 1
    assert http.get("/api/v1/process").text == "current: 2, total: 2"


def test_deleting_one_table_leaves_the_others_images(http, client, trained, gallery):
    url = _first_url(http, client, gallery)

    assert http.post("/api/v1/delete", data={"Table": trained}).status_code == 200

    assert http.post("/api/v1/count", data={"Table": trained}).text == "0"
    assert http.post("/api/v1/count", data={"Table": gallery}).text == "6"
    assert http.get(url).status_code == 200


def _first_url(http, client, collection):
    return f"/data/{next(client.images(collection=collection)).id}.jpg"


def test_parameters_are_taken_from_json_form_and_query_alike(http, gallery):
    answers = [
        http.post("/api/v1/count", json={"Table": gallery}),
        http.post("/api/v1/count", data={"Table": gallery}),
        http.post("/api/v1/count", params={"Table": gallery}),
    ]

    assert [answer.text for answer in answers] == ["6", "6", "6"]


@pytest.mark.parametrize("body", [{}, {"Table": ""}, {"Table": None}])
def test_a_missing_or_empty_table_is_the_default_one(http, body):
    answer = http.post("/api/v1/count", json=body)

    assert (answer.status_code, answer.text) == (200, "0")


def test_failures_have_a_real_status_and_one_line(http, photographs):
    answers = {
        "outside": http.post("/api/v1/train", json={"File": "/etc"}),
        "nothing": http.post("/api/v1/train", json={}),
        "unknown": http.post("/api/v1/count", json={"Table": "nope"}),
        "no picture": http.post("/api/v1/search", files={"file": b"text"}),
        "number": _search(http, photographs / "coins.jpg", Num="0"),
        "image": http.get("/data/999999999.jpg"),
        "name": http.get("/data/passwd"),
    }

    assert {what: answer.status_code for what, answer in answers.items()} == {
        "outside": 403,
        "nothing": 422,
        "unknown": 404,
        "no picture": 415,
        "number": 422,
        "image": 404,
        "name": 404,
    }
    for answer in answers.values():
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text
        assert "\n" not in answer.text


def test_the_distance_is_euclidean(http, client, gallery, photographs):
    (pair,) = _search(http, photographs / "chelsea.jpg", Table=gallery, Num="1", Page="2").json()
    hit = client.search(photographs / "chelsea.jpg", collection=gallery, top_k=3).hits[2]

    assert pair[1] == pytest.approx(math.sqrt(2 - 2 * hit.score), abs=6e-5)
