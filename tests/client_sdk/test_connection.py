"""Headers, addresses, time limits and answers of every request, for both clients."""

import httpx
import pytest

from client_sdk import ApiError, TooLarge, UnexpectedAnswer, UsageError
from tests.support.answers import INFO


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_url_is_rejected(name, service, ask):
    with pytest.raises(UsageError, match="cannot be part of an address"):
        ask(service(httpx.Response(204)), lambda client: client.collection(name).delete())


def test_the_token_is_sent_as_a_bearer_token(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info(), token="t1")  # noqa: S106
    assert answers.requests[0].headers["authorization"] == "Bearer t1"


def test_without_a_token_no_authorisation_is_sent(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info())
    assert "authorization" not in answers.requests[0].headers


def test_every_request_has_a_time_limit(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info(), timeout=3.0)
    assert answers.requests[0].extensions["timeout"] == {
        "connect": 3.0,
        "read": 3.0,
        "write": 3.0,
        "pool": 3.0,
    }


def test_a_service_below_a_path_is_reached(service, ask):
    answers = service(httpx.Response(200, json=INFO))
    ask(answers, lambda client: client.info(), base_url="http://host/deep/")
    assert str(answers.requests[0].url) == "http://host/deep/api/v2/info"


def test_unknown_fields_are_ignored(service, ask):
    answers = service(httpx.Response(200, json={**INFO, "mood": "good"}))
    assert ask(answers, lambda client: client.info()).version == "0.1.0"


@pytest.mark.parametrize("content", [b"<html>", b"", b"[]", b'{"version": 1}', b"\xff"])
def test_an_invalid_answer_is_unexpected(content, service, ask):
    with pytest.raises(UnexpectedAnswer, match="the answer to GET /api/v2/info"):
        ask(service(httpx.Response(200, content=content)), lambda client: client.info())


def test_a_redirection_is_an_error_and_is_not_followed(service, ask):
    answers = service(httpx.Response(302, headers={"location": "http://other/"}))
    with pytest.raises(ApiError, match="http_302"):
        ask(answers, lambda client: client.info(), token="t1")  # noqa: S106
    assert len(answers.requests) == 1


def test_an_error_status_is_raised(service, ask):
    with pytest.raises(TooLarge):
        ask(service(httpx.Response(413)), lambda client: client.upload(b"x"))
