"""Requests and answers of `compare` and `duplicates`, for both clients."""

import json

import httpx
import pytest

from bento_service.requests import CompareRequest, DuplicatesRequest
from client_sdk import Orientation, UnexpectedAnswer, UsageError, Verdict
from tests.support.answers import COMPARISON, LINES, SPACE, URLS

PLACE = {"width": 2, "height": 3, "bytes": 9, **URLS}
LIKE = {"image_id": 1, "score": 0.99, "distance": 0.1, "verdict": "near_duplicate"}


def page(*first_ids, next_cursor=None):
    groups = [
        {
            "images": [
                {"id": one, "name": "a.jpg", "source": "photos/a.jpg", **PLACE},
                {"id": one + 1, "name": "b.jpg", "source": "photos/b.jpg", **PLACE, "like": LIKE},
            ],
            "verdict": "near_duplicate",
        }
        for one in first_ids
    ]
    seen = {"collection": "default", "min_score": 0.942, "examined": 100, "lines": LINES}
    return httpx.Response(200, json={**SPACE, **seen, "groups": groups, "next_cursor": next_cursor})


def test_two_ids_are_sent_as_json(service, ask):
    answers = service(httpx.Response(200, json=COMPARISON))
    found = ask(answers, lambda client: client.compare(3, 7, collection="hats"))
    (sent,) = answers.requests
    assert (sent.method, sent.url.path) == ("POST", "/api/v2/compare")
    assert CompareRequest.model_validate_json(sent.content) == CompareRequest(
        collection="hats", a_id=3, b_id=7
    )
    assert (found.verdict, found.probability) == (Verdict.NEAR_DUPLICATE, None)
    assert found.evidence.orientation is Orientation.MIRRORED
    assert found.evidence.reasons == ("pHash 2/64, mirrored",)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (b"A", ("b.png", b"B"), [("a", "upload-1", b"A"), ("b", "b.png", b"B")]),
        (b"A", 7, [("b_id", None, b"7"), ("a", "upload-1", b"A")]),
        (7, b"B", [("a_id", None, b"7"), ("b", "upload-2", b"B")]),
    ],
)
def test_pictures_and_ids_are_sent_as_one_form(a, b, expected, service, ask, multipart):
    answers = service(httpx.Response(200, json=COMPARISON))
    ask(answers, lambda client: client.compare(a, b))
    assert sorted(multipart(answers.requests[0])) == sorted(
        [("collection", None, b"default"), *expected]
    )


def test_compare_rejects_other_types(service, ask):
    with pytest.raises(UsageError, match="cannot be of type float"):
        ask(service(), lambda client: client.compare(1.5, 7))


def test_groups_of_all_pages_are_yielded(service, ask):
    answers = service(page(1, 5, next_cursor="6"), page(next_cursor="90"), page(91))
    groups = ask(answers, lambda client: client.duplicates(collection="hats", min_score=0.9))
    assert [[image.id for image in group.images] for group in groups] == [[1, 2], [5, 6], [91, 92]]
    assert [image.like and image.like.verdict for image in groups[0].images] == [
        None,
        Verdict.NEAR_DUPLICATE,
    ]
    asked = {"collection": "hats", "min_score": 0.9, "limit": 20}
    assert [json.loads(request.content) for request in answers.requests] == [
        asked,
        {**asked, "cursor": "6"},
        {**asked, "cursor": "90"},
    ]
    assert [str(request.url) for request in answers.requests] == 3 * [
        "http://127.0.0.1:8001/api/v2/duplicates"
    ]
    DuplicatesRequest.model_validate_json(answers.requests[1].content)


def test_without_a_min_score_the_service_chooses_it(service, ask):
    answers = service(page())
    assert ask(answers, lambda client: client.duplicates(page_size=5)) == []
    assert json.loads(answers.requests[0].content) == {"collection": "default", "limit": 5}


def test_a_cursor_of_duplicates_that_repeats_is_an_error(service, ask):
    answers = service(page(next_cursor="6"))
    with pytest.raises(UnexpectedAnswer, match="the same page twice"):
        ask(answers, lambda client: client.duplicates())
    assert len(answers.requests) == 2
