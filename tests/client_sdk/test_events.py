"""Events of a job, also after a broken stream."""

import json

import httpx
import pytest

from client_sdk import ConnectError, JobNotFound, TimeoutExceeded, UnexpectedAnswer, UsageError

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


def test_events_are_yielded_until_the_job_ends(service, ask, stream, handle):
    answers = service(stream({"state": "pending", "done": 0}, {"state": "in_progress"}, {}))
    jobs = ask(answers, lambda client: handle(client).events())
    assert states(jobs) == [("pending", 0), ("in_progress", 4), ("completed", 4)]
    (request,) = answers.requests
    assert request.url.path == "/api/v2/jobs/j1/events"
    assert request.headers["accept"] == "text/event-stream"


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_every_final_state_ends_the_events(state, service, ask, stream, handle):
    assert states(ask(service(stream({"state": state})), lambda c: handle(c).events())) == [
        (state, 4)
    ]


def test_a_broken_stream_is_reopened_without_repeated_events(service, ask, stream, handle):
    running = {"state": "in_progress", "done": 1}
    answers = service(
        httpx.ConnectError("refused"),
        httpx.Response(503),
        stream(running, breaks=True),
        stream(running, {"state": "in_progress", "done": 2}),
        stream({}),
    )
    jobs = ask(answers, lambda client: handle(client).events(timeout=60.0))
    assert states(jobs) == [("in_progress", 1), ("in_progress", 2), ("completed", 4)]
    assert len(answers.requests) == 5


def test_events_time_out_if_the_service_is_unreachable(service, ask, handle):
    with pytest.raises(TimeoutExceeded, match="no events of job j1 arrived") as caught:
        ask(service(httpx.ConnectError("refused")), lambda c: handle(c).events(**QUICK))
    assert isinstance(caught.value.__cause__, ConnectError)


def test_events_of_an_unknown_job_fail_at_once(service, ask, handle):
    body = {"title": "T", "status": 404, "detail": "why", "code": "job_not_found"}
    answers = service(httpx.Response(404, json=body))
    with pytest.raises(JobNotFound, match="why"):
        ask(answers, lambda client: handle(client).events())
    assert len(answers.requests) == 1


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/html", b"<p>a proxy</p>"),
        ("text/event-stream", b"event: job\ndata: {}\n\n"),
    ],
)
def test_an_answer_that_is_no_event_stream_is_unexpected(kind, content, service, ask, handle):
    answer = httpx.Response(200, headers={"content-type": kind}, content=content)
    with pytest.raises(UnexpectedAnswer):
        ask(service(answer), lambda client: handle(client).events())


def test_events_of_no_job_are_rejected(service, ask, job, stream, handle):
    with pytest.raises(UsageError, match="there is no job yet"):
        ask(service(stream({})), lambda client: handle(client, id=None, state="idle").events())


def test_a_stream_may_be_silent_for_longer_than_an_answer(service, ask, stream, handle):
    answers = service(stream({}))
    ask(answers, lambda client: handle(client).events(), timeout=3.0)
    assert answers.requests[0].extensions["timeout"]["read"] >= 30
    assert answers.requests[0].extensions["timeout"]["connect"] == 3.0


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream that comes in pieces of some bytes."""

    def __init__(self, wire, size):
        self._pieces = [wire[at : at + size] for at in range(0, len(wire), size)]

    def __iter__(self):
        yield from self._pieces

    async def __aiter__(self):
        for piece in self:
            yield piece


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_from_pieces_of_any_size(size, service, ask, handle, job_body):
    one = json.dumps(job_body(state="in_progress", detail="caf\u00e9\u2028"), ensure_ascii=False)
    two = json.dumps(job_body(), indent=0).replace("\n", "\ndata: ")
    wire = f"event: job\r\nid: 1\r\ndata: {one}\r\n\r\n: x\n\nevent: job\ndata:{two}\n\n\n".encode()
    headers = {"content-type": "text/event-stream"}
    answer = httpx.Response(200, headers=headers, stream=Pieces(wire, size))
    jobs = ask(service(answer), lambda client: handle(client).events())
    assert [job.detail for job in jobs] == ["caf\u00e9\u2028", None]
