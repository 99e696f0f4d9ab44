"""What is sent again, when, and what never is; by either client."""

import io
import random
import re
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
from client_sdk._transport.retries import Course

AT_ONCE = Retries(first_pause=0.0, longest_pause=0.0)
COUNT = {"collection": "default", "count": 3}
FOUND = {
    "collection": "default",
    "model": "vgg16:1",
    "hits": [],
    "took_ms": {"decode": 1, "describe": 2, "search": 3, "total": 6},
}


@pytest.fixture
def impatient(ask):
    """Asks with retries that do not wait."""
    return lambda answers, question: ask(answers, question, retries=AT_ONCE)


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
def test_what_fails_for_a_moment_is_asked_again(failure, service, impatient):
    answers = service(failure, failure, httpx.Response(200, json=COUNT))
    assert impatient(answers, lambda client: client.count()) == 3
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
def test_what_will_not_pass_is_not_asked_again(failure, error, service, impatient):
    answers = service(failure)
    with pytest.raises(error):
        impatient(answers, lambda client: client.count())
    assert len(answers.requests) == 1


def test_attempts_have_an_end_and_the_last_failure_is_told(service, impatient):
    answers = service(httpx.ConnectError("refused"))
    with pytest.raises(ConnectError, match="refused"):
        impatient(answers, lambda client: client.count())
    assert len(answers.requests) == 5


@pytest.mark.parametrize(
    ("question", "sent"),
    [
        (lambda c, of: c.search(b"x"), 2),
        (lambda c, of: c.search(1), 2),
        (lambda c, of: c.compare(b"a", 7), 2),
        (lambda c, of: c.update_metadata(1, {}), 2),
        (lambda c, of: c.upload(b"x"), 2),
        (lambda c, of: c.train("a"), 2),
        (lambda c, of: c.train(manifest="l.csv"), 2),
        (lambda c, of: c.upload_manifest(b"x"), 2),
        (lambda c, of: c.reindex("hats"), 2),
        (lambda c, of: of(c).cancel(), 2),
        (lambda c, of: c.delete_collection("hats"), 2),
        (lambda c, of: c.forget_reindex("hats"), 2),
        (lambda c, of: c.delete([1]), 1),
        (lambda c, of: c.delete(filter="a == 1"), 1),
        (lambda c, of: c.delete(all=True, collection="hats"), 1),
        (lambda c, of: c.create_collection("hats"), 1),
        (lambda c, of: of(c).retry(), 1),
        (lambda c, of: c.undo_reindex("hats"), 1),
    ],
)
def test_only_what_may_be_done_twice_is_sent_twice(question, sent, service, impatient, handle):
    answers = service(httpx.ReadError("reset"), httpx.Response(413))
    with pytest.raises(LookalikeError):
        impatient(answers, lambda client: question(client, handle))
    assert len(answers.requests) == sent


def test_the_same_body_and_key_travel_each_time(tmp_path, service, impatient, job_body, multipart):
    (tmp_path / "a.jpg").write_bytes(b"a" * 150_000)
    answers = service(
        httpx.Response(503), httpx.ReadError("x"), httpx.Response(202, json=job_body())
    )
    pictures = [tmp_path / "a.jpg", io.BytesIO(b"file"), b"raw"]
    impatient(answers, lambda client: client.upload(pictures))
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


def test_a_body_that_can_be_read_only_once_is_sent_once(service, impatient):
    answers = service(httpx.Response(503))
    with pytest.raises(Exception, match="503"):
        impatient(answers, lambda client: client.upload(Pipe()))
    assert len(answers.requests) == 1


def test_a_delete_whose_answer_was_lost_has_succeeded_when_nothing_is_there(service, impatient):
    gone = {"title": "", "status": 404, "detail": "gone", "code": "image_not_found"}
    lost = service(httpx.ReadError("reset"), httpx.Response(404, json=gone))
    assert impatient(lost, lambda client: client.delete_collection("hats")) is None
    refused = service(httpx.ConnectError("refused"), httpx.Response(404, json=gone))
    with pytest.raises(ImageNotFound):
        impatient(refused, lambda client: client.delete_collection("hats"))


def test_over_a_transport_of_the_caller_nothing_is_repeated_unless_asked(service, ask):
    answers = service(httpx.Response(503), httpx.Response(200, json=COUNT))
    with pytest.raises(Exception, match="503"):
        ask(answers, lambda client: client.count())
    assert ask(answers, lambda client: client.count(), retries=0) == 3


def test_a_number_of_retries_is_enough(service, ask):
    answers = service(httpx.Response(429, headers={"retry-after": "0"}))
    with pytest.raises(Overloaded):
        ask(answers, lambda client: client.count(), retries=1)
    assert len(answers.requests) == 2
    with pytest.raises(UsageError, match="makes no sense"):
        Client(retries=-1)


@pytest.mark.parametrize(
    "given", [{"seconds": -1}, {"attempts": 0}, {"longest_pause": float("inf")}]
)
def test_retries_that_make_no_sense_are_refused(given):
    with pytest.raises(UsageError, match="makes no sense"):
        Retries(**given)


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_by_default_a_client_tries_again(kind, service, monkeypatch):
    import client_sdk

    client = getattr(client_sdk, kind)()
    assert isinstance(client._connection.transport, RetryTransport | AsyncRetryTransport)
    assert client._connection.transport._retries == Retries()


# When


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def course(retries=None, draw=lambda: 1.0, **request):
    asked = httpx.Request("GET", "http://host", **request)
    return Course(asked, retries or Retries(attempts=9, seconds=100), Clock(), draw)


def test_pauses_double_up_to_the_longest_one():
    asking = course(Retries(attempts=9, seconds=100, first_pause=0.5, longest_pause=8))
    broken = httpx.ReadError("x")
    assert [asking.pause_after(broken) for _ in range(8)] == [0.5, 1, 2, 4, 8, 8, 8, 8]
    assert asking.pause_after(broken) is None


def test_pauses_are_drawn_from_the_whole_range():
    draw = random.Random(1).random  # noqa: S311
    firsts = [course(draw=draw).pause_after(httpx.ReadError("x")) for _ in range(500)]
    assert 0 <= min(firsts) < 0.02
    assert 0.48 < max(firsts) <= 0.5
    assert 0.2 < sum(firsts) / 500 < 0.3


@pytest.mark.parametrize("as_date", [False, True])
def test_the_service_may_ask_for_a_longer_pause(as_date):
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    busy = httpx.Response(429, headers={"retry-after": then if as_date else "30"})
    pause = course(draw=lambda: 0.0).pause_after(busy)
    assert 28 < pause <= 30


def test_nothing_is_sent_after_the_time_is_over():
    asking = course(Retries(attempts=9, seconds=10.0))
    assert asking.pause_after(httpx.Response(429, headers={"retry-after": "60"})) is None
    assert course(Retries(seconds=0.0)).pause_after(httpx.ReadError("x")) is None


def test_the_transports_serve_other_requests_too(service):
    answers = service(httpx.Response(503), httpx.Response(200, text="ok"))
    transport = RetryTransport(httpx.MockTransport(answers), AT_ONCE)
    with httpx.Client(transport=transport) as http:
        assert http.get("http://host").text == "ok"
        answers = service(httpx.Response(503), httpx.Response(200, text="ok"))
        assert http.post("http://host").status_code == 200
    kinds = {RetryTransport.__doc__, AsyncRetryTransport.__doc__}
    assert all(re.search("again|RetryTransport", text) for text in kinds)
