import pickle
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from bento_service import errors as service_errors
from bento_service.api.http import problems
from client_sdk import errors
from client_sdk._transport import failures

PROJECT = Path(__file__).parents[2]

CODES = [
    (400, "bad_request", errors.BadRequest),
    (401, "unauthenticated", errors.Unauthenticated),
    (403, "forbidden", errors.Forbidden),
    (404, "collection_not_found", errors.CollectionNotFound),
    (404, "image_not_found", errors.ImageNotFound),
    (404, "job_not_found", errors.JobNotFound),
    (404, "path_not_found", errors.PathNotFound),
    (404, "not_found", errors.RouteNotFound),
    (405, "method_not_allowed", errors.MethodNotAllowed),
    (408, "request_timeout", errors.RequestTimeout),
    (409, "conflict", errors.Conflict),
    (413, "too_large", errors.TooLarge),
    (415, "unsupported_media_type", errors.UnsupportedMediaType),
    (422, "invalid_argument", errors.InvalidArgument),
    (422, "image_unreadable", errors.ImageUnreadable),
    (422, "image_too_expensive", errors.ImageTooExpensive),
    (422, "url_unreachable", errors.UrlUnreachable),
    (429, "overloaded", errors.Overloaded),
    (500, "internal_error", errors.InternalError),
    (503, "index_unavailable", errors.IndexUnavailable),
    (503, "not_ready", errors.NotReady),
    (503, "time_exceeded", errors.TimeExceeded),
    (507, "storage_full", errors.StorageFull),
]

HTTPX_ERRORS = [
    kind for kind in vars(httpx).values() if isinstance(kind, type) and issubclass(kind, Exception)
]


def answer(status, code, retry_after=None):
    body = {"type": "about:blank", "title": "T", "status": status, "detail": "why", "code": code}
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return httpx.Response(status, json={**body, "request_id": "r1"}, headers=headers)


@pytest.mark.parametrize(("status", "code", "kind"), CODES)
def test_every_code_of_the_contract_has_its_error(status, code, kind):
    error = failures.from_response(answer(status, code))
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.request_id) == (status, code, "why", "r1")
    assert str(error) == f"why [{status} {code}, request r1]"


def codes_of_the_service():
    """Return every code that its errors, its other failures and its documentation know."""
    waiting, codes = [service_errors.LookalikeError], set(problems._CODES.values())
    while waiting:
        kind = waiting.pop()
        codes.add(kind.code)
        waiting += kind.__subclasses__()
    table = (PROJECT / "docs" / "api.md").read_text().partition("| status | code |")[2]
    rows = table.partition("\n\n")[0]
    return codes | set(re.findall(r"`([a-z]+(?:_[a-z]+)+|conflict|forbidden|overloaded)`", rows))


def test_every_code_of_the_service_has_a_class():
    codes = codes_of_the_service()
    assert len(codes) > 20
    assert {code for _, code, _ in CODES} == codes


def test_every_class_has_a_code_of_the_contract():
    assert {kind for _, _, kind in CODES} == set(errors.ApiError.__subclasses__())


def test_overloaded_has_the_retry_after_of_the_answer():
    assert failures.from_response(answer(429, "overloaded", retry_after="7")).retry_after == 7.0


def test_retry_after_may_be_a_date():
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    later = failures.from_response(answer(429, "overloaded", retry_after=then)).retry_after
    assert 50 < later <= 60
    past = answer(429, "overloaded", retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    assert failures.from_response(past).retry_after == 0.0


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "Wed, 99 Oct 2026 07:28:00 GMT"])
def test_an_invalid_retry_after_is_ignored(text):
    assert failures.from_response(answer(429, "overloaded", retry_after=text)).retry_after is None


def test_a_new_code_keeps_the_class_of_its_status():
    error = failures.from_response(answer(409, "name_taken"))
    assert type(error) is errors.Conflict
    assert error.code == "name_taken"


def test_a_new_code_of_a_status_with_several_codes_is_a_plain_api_error():
    error = failures.from_response(answer(404, "tag_not_found"))
    assert type(error) is errors.ApiError
    assert error.code == "tag_not_found"


def test_the_answer_of_a_proxy_is_quoted():
    error = failures.from_response(httpx.Response(502, text="<h1>Bad\n gateway</h1>" + "x" * 999))
    assert type(error) is errors.ApiError
    assert (error.status, error.code) == (502, "http_502")
    assert error.detail.startswith("Bad Gateway: <h1>Bad gateway</h1>xxx")
    assert len(error.detail) < 300


def test_a_413_of_a_proxy_is_too_large():
    assert type(failures.from_response(httpx.Response(413))) is errors.TooLarge


def test_an_answer_without_a_reason_has_a_message():
    assert str(failures.from_response(httpx.Response(599))) == (
        "failed without a reason [599 http_599]"
    )


@pytest.mark.parametrize("kind", HTTPX_ERRORS)
def test_every_error_of_httpx_becomes_one_of_ours(kind, service, ask):
    foreign = kind.__new__(kind, "it broke")
    with pytest.raises(errors.LookalikeError, match="it broke") as caught:
        ask(service(foreign), lambda client: client.info())
    assert caught.value.__cause__ is foreign


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (httpx.ConnectError("x"), errors.ConnectError),
        (httpx.ReadError("x"), errors.ConnectError),
        (httpx.RemoteProtocolError("x"), errors.ConnectError),
        (httpx.ConnectTimeout("x"), errors.TimeoutExceeded),
        (httpx.PoolTimeout("x"), errors.TimeoutExceeded),
        (httpx.DecodingError("x"), errors.UnexpectedAnswer),
        (httpx.UnsupportedProtocol("x"), errors.UsageError),
        (httpx.InvalidURL("x"), errors.UsageError),
    ],
)
def test_each_kind_of_httpx_error_has_its_class(foreign, ours):
    assert type(failures.from_httpx(foreign, "http://host")) is ours


def test_a_connection_error_names_the_address_without_the_password(service, ask):
    with pytest.raises(errors.ConnectError, match=r"cannot reach http://127\.0\.0\.1:9: refused"):
        ask(
            service(httpx.ConnectError("refused")),
            lambda client: client.info(),
            base_url="http://me:secret@127.0.0.1:9/deep",
        )


def test_a_broken_connection_has_its_own_message():
    broken = failures.from_httpx(httpx.ReadError(""), "http://host")
    assert str(broken) == "the connection to http://host broke: ReadError"


@pytest.mark.parametrize(
    ("ours", "python"),
    [
        (errors.UsageError, ValueError),
        (errors.ConnectError, ConnectionError),
        (errors.TimeoutExceeded, TimeoutError),
    ],
)
def test_errors_are_also_the_matching_builtin_errors(ours, python):
    assert issubclass(ours, python)


def test_errors_can_be_pickled(job):
    for error in (failures.from_response(answer(413, "too_large")), errors.JobFailed(job())):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_job_failed_has_the_progress_and_the_reason(job):
    failed = job(state="failed", detail="the disk is full")
    assert str(errors.JobFailed(failed)) == "job j1 failed after 4 of 4: the disk is full"
    assert str(errors.JobFailed(job(state="canceled"))) == "job j1 was canceled after 4 of 4"
