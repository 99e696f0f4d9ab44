"""The limits of connections, by a real uvicorn server with short limits."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn

from bento_service.serving.connections import ConnectionLimits, GuardedConnection
from tests.support.waiting import wait_until_async

LIMITS = ConnectionLimits(head_seconds=1.5, idle_seconds=30)
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
SECONDS = 60


async def answer_after_a_pause(scope, receive, send):
    """Answer after as many seconds as the path says."""
    await asyncio.sleep(float(scope["path"].removeprefix("/") or 0))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@asynccontextmanager
async def served(limits):
    """Yield a function that opens a connection to a server with these limits."""
    guarded = type("Guarded", (GuardedConnection,), {"limits": limits})
    options = {"lifespan": "off", "log_config": None}
    config = uvicorn.Config(answer_after_a_pause, http=guarded, port=0, **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await wait_until_async(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    opened = []

    async def connect():
        opened.append(Connection(*await asyncio.open_connection("127.0.0.1", port)))
        return opened[-1]

    try:
        yield connect
    finally:
        for connection in opened:
            connection.writer.transport.abort()
        server.force_exit = server.should_exit = True
        await task


class Connection:
    """A client's connection; answers have no body."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def ask(self, request=GET):
        """Send a request, and return the status of its answer."""
        self.writer.write(request)
        async with asyncio.timeout(SECONDS):
            return int((await self.reader.readuntil(b"\r\n\r\n")).split()[1])

    async def rest(self):
        """Return what the server sends until it closes the connection."""
        async with asyncio.timeout(SECONDS):
            return await self.reader.read()


def test_an_idle_connection_is_kept_longer_than_a_head_may_take():
    async def run():
        async with served(LIMITS) as connect:
            connection = await connect()
            assert await connection.ask() == 204
            await asyncio.sleep(3 * LIMITS.head_seconds)
            assert await connection.ask() == 204

    asyncio.run(run())


def test_a_connection_is_kept_after_an_answer_that_took_longer_than_a_head_may_take():
    async def run():
        async with served(LIMITS) as connect:
            connection = await connect()
            slow = GET.replace(b"/ ", f"/{1.8 * LIMITS.head_seconds} ".encode(), 1)
            assert await connection.ask(slow) == 204
            await asyncio.sleep(LIMITS.head_seconds)
            assert await connection.ask() == 204

    asyncio.run(run())


def test_a_connection_without_a_further_request_is_closed():
    async def run():
        async with served(replace(LIMITS, idle_seconds=1.0)) as connect:
            connection = await connect()
            assert await connection.ask() == 204
            assert await connection.rest() == b""

    asyncio.run(run())


@pytest.mark.parametrize("sent", [b"GET / HT", b"\r\n"])
def test_a_head_that_begins_on_a_kept_connection_is_timed(sent):
    async def run():
        async with served(LIMITS) as connect:
            connection = await connect()
            assert await connection.ask() == 204
            connection.writer.write(sent)
            assert (await connection.rest()).startswith(b"HTTP/1.1 408 ")

    asyncio.run(run())


def test_a_head_that_begins_before_the_answer_before_it_is_timed():
    async def run():
        async with served(replace(LIMITS, idle_seconds=1.0)) as connect:
            connection = await connect()
            assert await connection.ask(GET + b"GET / HT") == 204
            await connection.rest()

    asyncio.run(run())


def test_one_connection_too_many_closes_the_one_that_is_idle_longest():
    async def run():
        async with served(replace(LIMITS, connections=3)) as connect:
            connections = [await connect() for _ in range(3)]
            for connection in (*connections, connections[0]):
                assert await connection.ask() == 204

            another = await connect()

            assert await another.ask() == 204
            assert await connections[1].rest() == b""
            assert [await connections[kept].ask() for kept in (0, 2)] == [204, 204]

    asyncio.run(run())
