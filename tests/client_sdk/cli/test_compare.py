import json

import pytest

from tests.support.answers import COMPARISON, LINES, SPACE, URLS


@pytest.fixture
def groups():
    def grouped(number, like=None):
        names = {"name": "a", "source": f"photos/{number}.jpg", "width": 1, "height": 1}
        return {"id": number, "bytes": 9, **names, **URLS, "like": like}

    like = {"image_id": 1, "score": 0.97, "distance": 0.24, "verdict": "duplicate"}
    group = {
        "images": [grouped(1), grouped(5, {**like, "reasons": ["cosine 0.970"]})],
        "verdict": "duplicate",
        "is_whole": True,
    }
    page = {"collection": "default", **SPACE, "min_score": 0.9, "lines": LINES, "examined": 5}
    return [
        {**page, "groups": [group], "next_cursor": "x"},
        {**page, "groups": [], "next_cursor": "y"},
        {**page, "groups": [group], "next_cursor": None},
    ]


def test_two_stored_images_are_compared_with_the_evidence(lookalike):
    ran = lookalike("compare", "id:7", "id:8", answers={"compare": COMPARISON})
    assert ran.code == 0
    assert ran.rows[:2] == [["verdict", "near_duplicate"], ["score", "0.944"]]
    assert ["hash_distance", "2/64"] in ran.rows
    assert ["reasons", "pHash 2/64, mirrored"] in ran.rows
    assert json.loads(ran.requests[0].content) == {"collection": "default", "a_id": 7, "b_id": 8}


def test_a_picture_from_a_pipe_is_compared_with_a_file(lookalike, tmp_path):
    (tmp_path / "b.png").write_bytes(b"the other")
    ran = lookalike(
        *("compare", "-", str(tmp_path / "b.png"), "--json"),
        answers={"compare": COMPARISON},
        stdin=b"the one",
    )
    assert b"the one" in ran.requests[0].content
    assert b"the other" in ran.requests[0].content
    assert ran.document["evidence"]["reasons"] == ["pHash 2/64, mirrored"]


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (["--min-score", "0.944"], 0),
        (["--min-score", "0.95"], 1),
        (["--expect", "similar"], 0),
        (["--expect", "near_duplicate"], 0),
        (["--expect", "duplicate"], 1),
    ],
)
def test_compare_can_be_used_as_a_check(lookalike, check, code):
    ran = lookalike("compare", "id:7", "id:8", *check, answers={"compare": COMPARISON})
    assert ran.code == code
    assert bool(ran.err) == bool(code)


def test_duplicates_are_listed_group_by_group(lookalike, groups):
    ran = lookalike("duplicates", answers={"duplicates": groups})
    assert ran.code == 0
    assert [row[:4] for row in ran.rows] == [
        ["1", "1", "", ""],
        ["1", "5", "0.97", "duplicate"],
        ["2", "1", "", ""],
        ["2", "5", "0.97", "duplicate"],
    ]


def test_json_has_one_group_per_line(lookalike, groups):
    ran = lookalike("duplicates", "--json", answers={"duplicates": groups})
    assert [[image["id"] for image in one["images"]] for one in ran.documents] == [[1, 5], [1, 5]]


def test_duplicates_can_be_used_as_a_check(lookalike, groups):
    assert lookalike("duplicates", "--check", answers={"duplicates": groups}).code == 1
    none = {**groups[-1], "groups": []}
    assert lookalike("duplicates", "--check", answers={"duplicates": none}).code == 0


def test_a_terminal_shows_the_number_of_groups(lookalike, groups):
    ran = lookalike("duplicates", answers={"duplicates": groups}, tty=True)
    assert "groups: 2, images in them: 4" in ran.out
    assert "cosine 0.970" in ran.out
