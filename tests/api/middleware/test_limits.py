"""Limits of requests in flight and of time, with apps that only wait."""

import asyncio
import contextlib
import json

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse

from bento_service.api.app import http_surface
from bento_service.api.middleware.draining import DrainMiddleware
from bento_service.api.middleware.entrance import AnswerMiddleware, enter
from bento_service.api.middleware.limits import RequestLimits
from bento_service.errors import RequestTimeout
from bento_service.settings import Settings

pytestmark = pytest.mark.anyio


def limited(app, **limits):
    """Limit an app; times may be shorter than an operator may set them."""
    return RequestLimits(app, Settings().model_copy(update=limits))


def client(app):
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60)


class Waiting:
    """An app that answers on request of the test."""

    def __init__(self):
        self.go = asyncio.Event()
        self.received = asyncio.Semaphore(0)
        self.canceled = asyncio.Event()

    async def __call__(self, scope, receive, send):
        self.received.release()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.canceled.set()
            raise
        await PlainTextResponse("done")(scope, receive, send)

    async def has_received(self, times):
        async with asyncio.timeout(60):
            for _ in range(times):
                await self.received.acquire()


async def test_an_excess_request_is_refused_at_once_and_the_next_is_served():
    app = Waiting()
    async with client(limited(app, requests_in_flight=2)) as http:
        requests = [asyncio.create_task(http.get("/")) for _ in range(2)]
        await app.has_received(2)
        refused = await http.get("/")
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert refused.headers["retry-after"] == "1"
        app.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*requests)] == [200, 200]
        assert (await http.get("/")).status_code == 200


async def test_the_metrics_are_never_refused():
    app = Waiting()
    async with client(limited(app, requests_in_flight=1)) as http:
        requests = [asyncio.create_task(http.get(path)) for path in ("/", "/metrics", "/metrics")]
        await app.has_received(3)
        app.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*requests)] == [200] * 3


async def test_an_event_stream_counts_only_until_it_begins():
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def events():
        yield "data: 1\n\n"
        begun.release()
        await end.wait()

    async def app(scope, receive, send):
        stream = StreamingResponse(events(), media_type="text/event-stream")
        await stream(scope, receive, send)

    async with client(limited(app, requests_in_flight=1)) as http, asyncio.timeout(60):
        requests = []
        for _ in range(3):
            requests.append(asyncio.create_task(http.get("/")))
            await begun.acquire()
        end.set()
        assert [answer.status_code for answer in await asyncio.gather(*requests)] == [200] * 3


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 524_288, 1_000_001])
async def test_a_large_response_is_sent_completely_in_parts(size):
    content = bytes(range(251)) * (size // 251 + 1)
    sent = []

    async def app(scope, receive, send):
        async def noting(message):
            sent.append(message)
            await send(message)

        await limited(PlainTextResponse(content[:size]))(scope, receive, noting)

    async with client(app) as http:
        assert (await http.get("/")).content == content[:size]
    bodies = [message["body"] for message in sent[1:]]
    assert len(bodies) == max(1, -(-size // 262_144))
    assert all(bodies) or size == 0


async def test_a_form_may_be_as_large_as_a_request_wherever_forms_are_read():
    document = http_surface(contextlib.nullcontext, Settings()).openapi()
    forms = [
        path
        for path, calls in document["paths"].items()
        if "multipart/form-data" in json.dumps(calls)
    ]
    assert len(forms) == 4

    async with client(limited(PlainTextResponse("read"), max_json_bytes=9)) as http:
        for path in (*forms, "/api/v1/search"):
            assert (await http.post(path, files={"file": b"a picture"})).text == "read"
        assert (await http.post("/api/v2/delete", files={"file": b"no form"})).status_code == 413


async def test_a_failed_request_frees_its_slot():
    async def broken(scope, receive, send):
        raise ValueError

    async with client(limited(broken, requests_in_flight=1)) as http:
        for _ in range(3):
            with pytest.raises(ValueError):  # noqa: PT011
                await http.get("/")


async def test_a_response_that_does_not_start_in_time_is_abandoned():
    app = Waiting()
    async with client(limited(app, request_seconds=0.2)) as http:
        answer = await http.post("/", content=b"whole")
    # The app did not read the body, so the slow side is unknown.
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    await asyncio.wait_for(app.canceled.wait(), 60)


async def test_a_slow_response_after_a_complete_body_is_a_503():
    async def slow(scope, receive, send):
        await Request(scope, receive).body()
        await asyncio.Event().wait()

    async with client(limited(slow, request_seconds=2)) as http:
        for answer in (await http.post("/", content=b"whole"), await http.get("/")):
            assert (answer.status_code, answer.json()["code"]) == (503, "time_exceeded")
            assert answer.headers["retry-after"]


async def test_a_started_response_may_take_longer():
    async def pieces():
        for _ in range(4):
            yield "x"
            await asyncio.sleep(0.6)

    async with client(limited(StreamingResponse(pieces()), request_seconds=2)) as http:
        assert (await http.get("/")).text == "xxxx"


async def test_the_time_limit_of_a_body_counts_only_the_wait_for_its_sender():
    async def reading(scope, receive, send):
        async for _ in Request(scope, receive).stream():
            await asyncio.sleep(0.5)  # as for a slow disk
        await PlainTextResponse("read")(scope, receive, send)

    async def steady():
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"x" * 10_000

    async def stopping():
        yield b"x" * 10_000_000  # a fast start does not allow an endless wait
        await asyncio.Event().wait()

    async with client(limited(reading, body_seconds=2.0)) as http:
        assert (await http.post("/", content=steady())).text == "read"
        with pytest.raises(RequestTimeout, match="too slowly"):
            await http.post("/", content=stopping())


async def test_foreign_errors_become_problems_and_foreign_responses_stay():
    async def foreign(scope, receive, send):
        status = int(scope["path"][1:])
        headers = {"Allow": "GET", "Server": "other"}
        await PlainTextResponse("sorry", status, headers)(scope, receive, send)

    async with client(AnswerMiddleware(foreign)) as http:
        for status in (400, 404, 405, 418, 429, 500, 503, 504):
            answer = await http.get(f"/{status}")
            assert (answer.status_code, answer.json()["status"]) == (status, status)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            assert (answer.headers["allow"], "server" in answer.headers) == ("GET", False)
        assert (await http.get("/200")).text == "sorry"


async def test_a_failing_probe_gets_a_response():
    async def broken(scope, receive, send):
        raise ValueError("secret")

    async def entered(scope, receive, send):
        await enter(PlainTextResponse("surface"), broken, scope, receive, send)

    transport = httpx.ASGITransport(entered, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "secret" not in answer.text
        assert (await http.get("/schema.json")).text == "surface"


class Sending:
    """A client that sends a body in pieces; it notes how many were received."""

    def __init__(self, pieces, **headers):
        self.pieces = pieces
        self.received = 0
        self.statuses = []
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

    async def receive(self):
        if self.received == self.pieces:
            await asyncio.sleep(3600)  # a sender that has stopped
        self.received += 1
        return {"type": "http.request", "body": bytes(2**20), "more_body": True}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.statuses.append((message["status"], self.received))


def refusing(status, *, reads=0):
    async def app(scope, receive, send):
        for _ in range(reads):
            await receive()
        await PlainTextResponse("no", status)(scope, receive, send)

    return DrainMiddleware(app, seconds=0.1)


async def test_the_rest_of_a_refused_body_is_read_before_the_answer_within_bounds():
    sender = Sending(1000, **{"content-length": str(10**9)})
    await refusing(400, reads=1)(sender.scope, sender.receive, sender.send)
    assert sender.statuses == [(400, 33)]


async def test_a_sender_that_stops_is_answered_after_a_moment():
    sender = Sending(3, **{"transfer-encoding": "chunked"})
    await refusing(401)(sender.scope, sender.receive, sender.send)
    assert sender.statuses == [(401, 3)]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"content-length": "9"}),
        (408, {"content-length": "9"}),
        (400, {}),
        (400, {"content-length": "0"}),
        (401, {"content-length": "9", "expect": "100-continue"}),
    ],
)
async def test_nothing_is_read_for_an_answer_that_needs_no_rest(status, headers):
    sender = Sending(5, **headers)
    await refusing(status)(sender.scope, sender.receive, sender.send)
    assert sender.statuses == [(status, 0)]
