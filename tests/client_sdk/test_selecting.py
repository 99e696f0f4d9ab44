"""Requests that select images: `search`, `delete`, `count` and `images`, for both clients."""

import json

import httpx
import pytest

from bento_service.requests import DeleteRequest, SearchOptions, SearchRequest
from client_sdk._calls.options import SearchKeywords
from tests.support.answers import found

FOUND = found()
DELETED = {"collection": "hats", "deleted": 2}


def test_a_search_by_url_sends_a_valid_request(service, ask):
    answers = service(httpx.Response(200, json=FOUND))
    url = "https://shop.example/cat.jpg"
    ask(answers, lambda client: client.search(url, collection="hats", top_k=3))
    (sent,) = answers.requests
    assert (sent.method, sent.url.path) == ("POST", "/api/v2/search")
    body = SearchRequest.model_validate_json(sent.content)
    assert (body.url, body.collection, body.top_k) == (url, "hats", 3)


def test_a_search_by_id_sends_a_valid_request(service, ask):
    answers = service(httpx.Response(200, json=FOUND))
    options: SearchKeywords = {
        "collection": "hats",
        "top_k": 3,
        "offset": 5,
        "min_score": 0.25,
        "region": (1, 2, 3, 4),
        "exact": True,
        "filter": "year > 1990",
        "explain": True,
    }
    ask(answers, lambda client: client.search(7, **options))
    body = answers.requests[0].content
    assert json.loads(body)["region"] == [1, 2, 3, 4]
    assert SearchRequest.model_validate_json(body) == SearchRequest(image_id=7, **options)


def test_the_options_of_a_search_are_those_of_the_schema_with_its_defaults(service, ask):
    assert set(SearchOptions.model_fields) == set(SearchKeywords.__annotations__)
    answers = service(httpx.Response(200, json=FOUND))
    ask(answers, lambda client: client.search(7))
    body = SearchRequest.model_validate_json(answers.requests[0].content)
    assert body == SearchRequest(image_id=7)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda c: c.delete([1, 2]), DeleteRequest(ids=(1, 2))),
        (lambda c: c.delete(5, collection="hats"), DeleteRequest(collection="hats", ids=(5,))),
        (
            lambda c: c.delete(all=True, collection="hats"),
            DeleteRequest(collection="hats", all=True),
        ),
        (lambda c: c.delete(filter="year > 1990"), DeleteRequest(filter="year > 1990")),
        (
            lambda c: c.delete(filter="a == 1", collection="hats"),
            DeleteRequest(collection="hats", filter="a == 1"),
        ),
    ],
)
def test_delete_sends_a_valid_request(call, expected, service, ask):
    answers = service(httpx.Response(200, json=DELETED))
    ask(answers, call)
    assert DeleteRequest.model_validate_json(answers.requests[0].content) == expected


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda c: c.count(filter='shop == "a&b"'), {"collection": "default", "count": 3}),
        (lambda c: c.images(filter='shop == "a&b"'), {"images": [], "next_cursor": None}),
    ],
)
def test_a_filter_is_encoded_in_the_url(call, answer, service, ask):
    answers = service(httpx.Response(200, json=answer))
    ask(answers, call)
    assert answers.requests[0].url.params["filter"] == 'shop == "a&b"'
    assert "collection" in answers.requests[0].url.params


def test_without_a_filter_no_filter_is_sent(service, ask):
    answers = service(httpx.Response(200, json={"collection": "default", "count": 3}))
    assert ask(answers, lambda client: client.count()) == 3
    assert "filter" not in answers.requests[0].url.params


def test_deleting_an_empty_list_never_means_all(service, ask):
    answers = service(httpx.Response(200, json=DELETED))
    ask(answers, lambda client: client.delete([]))
    assert json.loads(answers.requests[0].content) == {"collection": "default", "ids": []}
