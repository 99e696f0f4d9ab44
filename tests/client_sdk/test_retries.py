"""Retries by either client: which requests, when, and how often."""

import io
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from client_sdk import (
    AsyncRetryTransport,
    Client,
    ConnectError,
    ImageNotFound,
    LookalikeError,
    Overloaded,
    Retries,
    RetryTransport,
    StorageFull,
    TimeoutExceeded,
    UsageError,
)
from client_sdk._transport.retries import Attempts
from tests.support.answers import COUNT
from tests.support.clock import Clock

AT_ONCE = Retries(first_pause=0.0, longest_pause=0.0)


@pytest.fixture
def quick_ask(ask):
    """Return a function that asks with retries that do not wait."""
    return lambda answers, call: ask(answers, call, retries=AT_ONCE)


class Breaks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer that is cut off."""

    def __iter__(self):
        yield b'{"collec'
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message")

    async def __aiter__(self):
        for piece in self:
            yield piece


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("pipe"),
        httpx.RemoteProtocolError("disconnected"),
        httpx.Response(429),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
        httpx.Response(200, stream=Breaks()),
    ],
    ids=lambda failure: getattr(failure, "status_code", type(failure).__name__),
)
def test_temporary_failures_are_retried(failure, service, quick_ask):
    answers = service(failure, failure, httpx.Response(200, json=COUNT))
    assert quick_ask(answers, lambda client: client.count()) == 3
    assert len(answers.requests) == 3


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (httpx.Response(507), StorageFull),
        (
            httpx.Response(
                404, json={"title": "", "status": 404, "detail": "", "code": "image_not_found"}
            ),
            ImageNotFound,
        ),
        (httpx.ReadTimeout("slow"), TimeoutExceeded),
    ],
)
def test_permanent_failures_are_not_retried(failure, error, service, quick_ask):
    answers = service(failure)
    with pytest.raises(error):
        quick_ask(answers, lambda client: client.count())
    assert len(answers.requests) == 1


def test_the_last_failure_is_raised_after_five_attempts(service, quick_ask):
    answers = service(httpx.ConnectError("refused"))
    with pytest.raises(ConnectError, match="refused"):
        quick_ask(answers, lambda client: client.count())
    assert len(answers.requests) == 5


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (lambda c, of: c.search(b"x"), 2),
        (lambda c, of: c.search(1), 2),
        (lambda c, of: c.compare(b"a", 7), 2),
        (lambda c, of: of(c, "image").update_metadata({}), 2),
        (lambda c, of: c.upload(b"x"), 2),
        (lambda c, of: c.train("a"), 2),
        (lambda c, of: c.train(manifest="l.csv"), 2),
        (lambda c, of: c.upload_manifest(b"x"), 2),
        (lambda c, of: c.collection("hats").reindex(), 2),
        (lambda c, of: of(c, "job").cancel(), 2),
        (lambda c, of: c.collection("hats").delete(), 2),
        (lambda c, of: c.collection("hats").forget_reindex(), 2),
        (lambda c, of: c.delete([1]), 1),
        (lambda c, of: c.delete(filter="a == 1"), 1),
        (lambda c, of: c.delete(all=True, collection="hats"), 1),
        (lambda c, of: c.create_collection("hats"), 1),
        (lambda c, of: of(c, "job").retry(), 1),
        (lambda c, of: c.collection("hats").undo_reindex(), 1),
    ],
)
def test_only_repeatable_calls_are_retried(call, sent, service, quick_ask, handle, stored):
    def of(client, what):
        return handle(client) if what == "job" else stored(client)

    answers = service(httpx.ReadError("reset"), httpx.Response(413))
    with pytest.raises(LookalikeError):
        quick_ask(answers, lambda client: call(client, of))
    assert len(answers.requests) == sent


def test_every_attempt_has_the_same_body_and_key(tmp_path, service, quick_ask, job_body, multipart):
    (tmp_path / "a.jpg").write_bytes(b"a" * 150_000)
    answers = service(
        httpx.Response(503), httpx.ReadError("x"), httpx.Response(202, json=job_body())
    )
    pictures = [tmp_path / "a.jpg", io.BytesIO(b"file"), b"raw"]
    quick_ask(answers, lambda client: client.upload(pictures))
    first, second, third = answers.requests
    assert first.headers["idempotency-key"] == third.headers["idempotency-key"]
    assert multipart(first) == multipart(second) == multipart(third)
    assert [len(content) for _, _, content in multipart(third)] == [7, 150_000, 4, 3]


class Pipe(io.RawIOBase):
    """A file that can be read once."""

    def readable(self):
        return True

    def readinto(self, buffer):
        return 0


def test_a_body_that_can_be_read_only_once_is_sent_once(service, quick_ask):
    answers = service(httpx.Response(503))
    with pytest.raises(Exception, match="503"):
        quick_ask(answers, lambda client: client.upload(Pipe()))
    assert len(answers.requests) == 1


def test_a_404_after_a_lost_answer_to_a_delete_is_a_success(service, quick_ask):
    gone = {"title": "", "status": 404, "detail": "gone", "code": "image_not_found"}
    lost = service(httpx.ReadError("reset"), httpx.Response(404, json=gone))
    assert quick_ask(lost, lambda client: client.collection("hats").delete()) is None
    refused = service(httpx.ConnectError("refused"), httpx.Response(404, json=gone))
    with pytest.raises(ImageNotFound):
        quick_ask(refused, lambda client: client.collection("hats").delete())


def test_a_given_transport_is_not_retried_by_default(service, ask):
    answers = service(httpx.Response(503), httpx.Response(200, json=COUNT))
    with pytest.raises(Exception, match="503"):
        ask(answers, lambda client: client.count())
    assert ask(answers, lambda client: client.count(), retries=0) == 3


def test_retries_may_be_a_number(service, ask):
    answers = service(httpx.Response(429, headers={"retry-after": "0"}))
    with pytest.raises(Overloaded):
        ask(answers, lambda client: client.count(), retries=1)
    assert len(answers.requests) == 2
    with pytest.raises(UsageError, match="is not usable"):
        Client(retries=-1)


@pytest.mark.parametrize(
    "given", [{"seconds": -1}, {"attempts": 0}, {"longest_pause": float("inf")}]
)
def test_retries_out_of_range_are_rejected(given):
    with pytest.raises(UsageError, match=r"is not usable|longest_pause is inf"):
        Retries(**given)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_client_retries_by_default(kind, service, monkeypatch):
    import client_sdk

    client = getattr(client_sdk, kind)()
    assert isinstance(client._connection.transport, RetryTransport | AsyncRetryTransport)
    assert client._connection.transport._retries == Retries()


# Pauses


def attempts(retries=None, draw=lambda: 1.0, **request):
    asked = httpx.Request("GET", "http://host", **request)
    return Attempts(asked, retries or Retries(attempts=9, seconds=100), Clock(), draw)


def test_pauses_double_up_to_the_longest_one():
    request_attempts = attempts(Retries(attempts=9, seconds=100, first_pause=0.5, longest_pause=8))
    broken = httpx.ReadError("x")
    assert [request_attempts.pause_after(broken) for _ in range(8)] == [0.5, 1, 2, 4, 8, 8, 8, 8]
    assert request_attempts.pause_after(broken) is None


def test_a_thousand_attempts_and_more_have_pauses():
    request_attempts = attempts(Retries(attempts=3000, seconds=10.0, longest_pause=0.0))
    broken = httpx.ConnectError("refused")
    assert {request_attempts.pause_after(broken) for _ in range(2999)} == {0.0}
    assert request_attempts.pause_after(broken) is None


def test_pauses_are_random_in_the_whole_range():
    draw = random.Random(1).random  # noqa: S311
    firsts = [attempts(draw=draw).pause_after(httpx.ReadError("x")) for _ in range(500)]
    assert 0 <= min(firsts) < 0.02
    assert 0.48 < max(firsts) <= 0.5
    assert 0.2 < sum(firsts) / 500 < 0.3


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_lengthens_the_pause(as_date):
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    busy = httpx.Response(429, headers={"retry-after": then if as_date else "30"})
    pause = attempts(draw=lambda: 0.0).pause_after(busy)
    assert 28 < pause <= 30


def test_nothing_is_sent_after_the_time_limit():
    request_attempts = attempts(Retries(attempts=9, seconds=10.0))
    assert request_attempts.pause_after(httpx.Response(429, headers={"retry-after": "60"})) is None
    assert attempts(Retries(seconds=0.0)).pause_after(httpx.ReadError("x")) is None


def test_the_transports_work_without_the_client(service):
    answers = service(httpx.Response(503), httpx.Response(200, text="ok"))
    transport = RetryTransport(httpx.MockTransport(answers), AT_ONCE)
    with httpx.Client(transport=transport) as http:
        assert http.get("http://host").text == "ok"
        answers = service(httpx.Response(503), httpx.Response(200, text="ok"))
        assert http.post("http://host").status_code == 200
