"""Limits of requests in flight and of time, with apps that only wait."""

import asyncio
import time

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse

from bento_service.api.middleware.entrance import OnlyProblems, enter
from bento_service.api.middleware.limits import InFlight, TimeLimit
from bento_service.api.middleware.request_id import RequestId
from bento_service.errors import RequestTimeout

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


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
    async with client(InFlight(app, most=2)) as http:
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
    async with client(InFlight(app, most=1)) as http:
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

    async with client(InFlight(app, most=1)) as http, asyncio.timeout(60):
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

        await InFlight(PlainTextResponse(content[:size]), most=1)(scope, receive, noting)

    async with client(app) as http:
        assert (await http.get("/")).content == content[:size]
    bodies = [message["body"] for message in sent[1:]]
    assert len(bodies) == max(1, -(-size // 262_144))
    assert all(bodies) or size == 0


async def test_a_failed_request_frees_its_slot():
    async def broken(scope, receive, send):
        raise ValueError

    async with client(InFlight(broken, most=1)) as http:
        for _ in range(3):
            with pytest.raises(ValueError):  # noqa: PT011
                await http.get("/")


async def test_a_response_that_does_not_start_in_time_is_abandoned():
    app = Waiting()
    async with client(TimeLimit(app, body_seconds=60, request_seconds=0.2)) as http:
        answer = await http.post("/", content=b"whole")
    # The app did not read the body, so the slow side is unknown.
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")
    await asyncio.wait_for(app.canceled.wait(), 60)


async def test_a_slow_response_after_a_complete_body_is_a_503():
    async def slow(scope, receive, send):
        await Request(scope, receive).body()
        await asyncio.to_thread(time.sleep, 2)
        await PlainTextResponse("late")(scope, receive, send)

    async with client(TimeLimit(slow, body_seconds=60, request_seconds=1)) as http:
        for answer in (await http.post("/", content=b"whole"), await http.get("/")):
            assert (answer.status_code, answer.json()["code"]) == (503, "time_exceeded")
            assert answer.headers["retry-after"]


async def test_a_started_response_may_take_longer():
    async def pieces():
        for _ in range(4):
            await asyncio.sleep(0.4)
            yield "x"

    async with client(TimeLimit(StreamingResponse(pieces()), 60, request_seconds=1)) as http:
        assert (await http.get("/")).text == "xxxx"


async def test_the_time_limit_of_a_body_counts_only_the_wait_for_its_sender():
    async def reading(scope, receive, send):
        async for _ in Request(scope, receive).stream():
            await asyncio.sleep(0.3)  # as for a slow disk
        await PlainTextResponse("read")(scope, receive, send)

    async def steady():
        for _ in range(5):
            await asyncio.sleep(0.1)
            yield b"x" * 10_000

    async def stopping():
        yield b"x" * 10_000_000  # a fast start does not allow an endless wait
        await asyncio.sleep(30)
        yield b"x"

    limited = TimeLimit(reading, body_seconds=2.0, request_seconds=60)
    async with client(limited) as http:
        assert (await http.post("/", content=steady())).text == "read"
        with pytest.raises(RequestTimeout, match="too slowly"):
            await http.post("/", content=stopping())


async def test_foreign_errors_become_problems_and_foreign_responses_stay():
    async def foreign(scope, receive, send):
        status = int(scope["path"][1:])
        headers = {"Allow": "GET", "Server": "other"}
        await PlainTextResponse("sorry", status, headers)(scope, receive, send)

    async with client(RequestId(OnlyProblems(foreign))) as http:
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
