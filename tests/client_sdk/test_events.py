"""Following a job: reading events, and going on when a stream breaks off."""

import json

import httpx
import pytest

from client_sdk import ConnectError, JobNotFound, TimeoutExceeded, UnexpectedAnswer, UsageError
from client_sdk._events import Event, EventDecoder

QUICK = {"timeout": 0.3}


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream that breaks off."""

    def __init__(self, *pieces):
        self._pieces = pieces

    def __iter__(self):
        yield from self._pieces
        raise httpx.RemoteProtocolError("peer closed connection")

    async def __aiter__(self):
        for piece in self:
            yield piece


@pytest.fixture
def stream(job_body):
    """An answer with one event for each set of changes; `breaks` lets it end with an error."""

    def answer(*changes, breaks=False):
        events = [f"event: job\ndata: {json.dumps(job_body(**one))}\n\n" for one in changes]
        pieces = [b": ping\n\n", *(event.encode() for event in events)]
        headers = {"content-type": "text/event-stream; charset=utf-8"}
        if breaks:
            return httpx.Response(200, headers=headers, stream=Broken(*pieces))
        return httpx.Response(200, headers=headers, content=b"".join(pieces))

    return answer


def states(jobs):
    return [(job.state.value, job.done) for job in jobs]


def test_a_job_is_told_until_its_end(service, ask, stream):
    answers = service(stream({"state": "pending", "done": 0}, {"state": "in_progress"}, {}))
    told = ask(answers, lambda client: client.events("j1"))
    assert states(told) == [("pending", 0), ("in_progress", 4), ("completed", 4)]
    (request,) = answers.requests
    assert request.url.path == "/api/v2/jobs/j1/events"
    assert request.headers["accept"] == "text/event-stream"


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_every_end_is_an_end(state, service, ask, stream):
    assert states(ask(service(stream({"state": state})), lambda c: c.events("j1"))) == [(state, 4)]


def test_a_stream_that_breaks_off_is_opened_again_and_says_nothing_twice(service, ask, stream):
    running = {"state": "in_progress", "done": 1}
    answers = service(
        httpx.ConnectError("refused"),
        httpx.Response(503),
        stream(running, breaks=True),
        stream(running, {"state": "in_progress", "done": 2}),
        stream({}),
    )
    told = ask(answers, lambda client: client.events("j1", timeout=5.0))
    assert states(told) == [("in_progress", 1), ("in_progress", 2), ("completed", 4)]
    assert len(answers.requests) == 5


def test_a_service_that_stays_away_is_told(service, ask):
    with pytest.raises(TimeoutExceeded, match="j1 cannot be followed any more") as caught:
        ask(service(httpx.ConnectError("refused")), lambda c: c.events("j1", **QUICK))
    assert isinstance(caught.value.__cause__, ConnectError)


def test_a_job_that_is_not_there_is_told_at_once(service, ask):
    body = {"title": "T", "status": 404, "detail": "why", "code": "job_not_found"}
    answers = service(httpx.Response(404, json=body))
    with pytest.raises(JobNotFound, match="why"):
        ask(answers, lambda client: client.events("j1"))
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/html", b"<p>a proxy</p>"),
        ("text/event-stream", b"event: job\ndata: {}\n\n"),
    ],
)
def test_an_answer_of_somebody_else_is_unexpected(kind, content, service, ask):
    answer = httpx.Response(200, headers={"content-type": kind}, content=content)
    with pytest.raises(UnexpectedAnswer):
        ask(service(answer), lambda client: client.events("j1"))


def test_following_no_job_is_refused(service, ask, job, stream):
    with pytest.raises(UsageError, match="there is no job yet"):
        ask(service(stream({})), lambda client: client.events(job(id=None, state="idle")))


def test_a_stream_may_be_silent_for_longer_than_an_answer(service, ask, stream):
    answers = service(stream({}))
    ask(answers, lambda client: client.events("j1"), timeout=3.0)
    assert answers.requests[0].extensions["timeout"]["read"] >= 30
    assert answers.requests[0].extensions["timeout"]["connect"] == 3.0


WIRE = (
    "event: job\r\nid: 1\r\ndata: caf\u00e9\u2028\r\n\r\n: x\n\ndata:a\ndata: b\n\n\nevent: y\r\r"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_from_pieces_of_any_size(size):
    wire, decoder, events = WIRE.encode(), EventDecoder(), []
    for at in range(0, len(wire), size):
        events += decoder.feed(wire[at : at + size])
    assert events == [Event("job", "caf\u00e9\u2028"), Event("message", "a\nb")]
