"""Requests and answers between a caller's thread and the service's event loop, piece by piece."""

import asyncio
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from bento_service.local.service import LocalService
from client_sdk._async.local import AsyncLocalTransport
from client_sdk._sync.local import LocalTransport
from client_sdk._transport.settings import LOCAL_URL as URL
from tests.support.waiting import running, wait_until

PIECE = b"x" * 1000


class App:
    """Answers in ways that a service seldom does; counts what was read and made."""

    def __init__(self):
        self.made = 0
        self.asked = threading.Event()
        self.left = threading.Event()
        self.app = Starlette(
            routes=[
                Route("/endless", self.endless),
                Route("/broken", self.broken),
                Route("/first", self.first, methods=["POST"]),
                Route("/whole", self.whole, methods=["POST"]),
                Route("/slow", self.slow),
                Route("/echo/{word}", self.echo),
            ]
        )
        self.app.state.application = None

    async def endless(self, request: Request):
        async def pieces():
            while True:
                self.made += 1
                yield PIECE

        return StreamingResponse(pieces())

    async def broken(self, request: Request):
        async def pieces():
            yield PIECE
            raise ValueError("in the middle")

        return StreamingResponse(pieces())

    async def first(self, request: Request):
        return PlainTextResponse(str(len(await anext(request.stream()))))

    async def whole(self, request: Request):
        return PlainTextResponse(str(len(await request.body())))

    async def slow(self, request: Request):
        self.asked.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def echo(self, request: Request):
        return PlainTextResponse(f"{request.path_params['word']} {request.url.query}")


@pytest.fixture
def answering():
    return App()


@pytest.fixture
def service(answering):
    service = LocalService(answering.app)
    yield service
    service.close()


@pytest.fixture
def http(service):
    with httpx.Client(base_url=URL, transport=LocalTransport(service), timeout=60) as http:
        yield http


def test_paths_queries_and_bodies_arrive_as_they_were_sent(http):
    assert http.get("/echo/caf%C3%A9%20au%20lait?a=b%20c").text == "café au lait a=b%20c"
    assert http.post("/whole", content=b"").text == "0"
    assert http.post("/whole", content=(PIECE for _ in range(100))).text == "100000"
    assert http.post("/whole", files={"a": ("b", PIECE)}, data={"empty": ""}).text != "0"


def test_an_answer_is_made_as_it_is_read_and_no_more_when_nobody_reads(http, answering):
    with http.stream("GET", "/endless") as answer:
        pieces = answer.iter_raw()
        assert [next(pieces) for _ in range(20)] == [PIECE] * 20
        assert answering.made < 60

    def stays():
        made = answering.made
        time.sleep(0.2)
        return made == answering.made

    wait_until(stays)


def test_a_body_is_read_as_the_service_asks_for_it(http):
    taken = []

    def pieces():
        for number in range(1000):
            taken.append(number)
            yield PIECE

    assert http.post("/first", content=pieces()).text == "1000"
    assert len(taken) < 10


def test_a_body_that_cannot_be_read_fails_as_its_reading_did(http):
    def pieces():
        yield PIECE
        raise FileNotFoundError("the file is gone")

    with pytest.raises(FileNotFoundError, match="the file is gone"):
        http.post("/whole", content=pieces())


def test_an_answer_that_breaks_off_is_a_broken_connection(http):
    with http.stream("GET", "/broken") as answer, pytest.raises(httpx.ReadError):
        list(answer.iter_raw())


def test_a_caller_that_waits_when_the_service_closes_gets_an_error(http, service, answering):
    def close():
        assert answering.asked.wait(60)
        service.close()

    with (
        running(threading.Thread(target=close)),
        pytest.raises(httpx.ReadError, match="the service ended"),
    ):
        http.get("/slow")
    assert answering.left.is_set()


def test_an_answer_that_does_not_begin_in_time_is_a_timeout(http):
    with pytest.raises(httpx.ReadTimeout):
        http.get("/slow", timeout=0.1)


def test_an_event_loop_of_the_caller_is_never_held_up(service, answering):
    async def ask():
        transport = AsyncLocalTransport(service)
        async with httpx.AsyncClient(base_url=URL, transport=transport, timeout=60) as http:
            slow = asyncio.create_task(http.get("/slow"))
            assert (await http.post("/whole", files={"a": PIECE})).status_code == 200
            async with http.stream("GET", "/endless") as answer:
                async for piece in answer.aiter_raw():
                    assert piece == PIECE
                    break
            with pytest.raises(httpx.ReadTimeout):
                await http.get("/slow", timeout=0.1)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow

    asyncio.run(ask())
    assert answering.left.wait(60)
