"""Answers that are too large or too slow."""

import asyncio
import gzip

import pytest

from bento_service.errors import (
    Overloaded,
    TooLarge,
)
from bento_service.fetching.fetcher import AT_ONCE
from tests.fetching.fetching import MOST, fetched, fetcher, refusal

pytestmark = pytest.mark.anyio


async def test_a_picture_has_a_largest_size_whatever_is_said_of_it(web):
    web.gives("/most", bytes(MOST))
    web.gives("/said", b"", f"Content-Length: {MOST + 1}")
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def endless(connection, _):
        connection.sendall(head)
        web.trickle(connection, chunk, pause=0)

    web.answers["/chunked"] = endless
    web.answers["/open"] = lambda connection, _: (
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n"),
        web.trickle(connection, bytes(65536), pause=0),
    )
    here = f"http://127.0.0.1:{web.port}"
    assert len(await fetched(fetcher(web), f"{here}/most")) == MOST
    for path in ("said", "chunked", "open"):
        with pytest.raises(TooLarge, match=f"more than {MOST} bytes"):
            await fetched(fetcher(web), f"{here}/{path}")


async def test_an_unwanted_compression_is_not_unpacked(web):
    packed = gzip.compress(bytes(100 * MOST))
    web.gives("/bomb", packed, "Content-Encoding: gzip")
    assert await fetched(fetcher(web), f"http://127.0.0.1:{web.port}/bomb") == packed


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    ],
    ids=["silence", "a header", "headers", "continue", "body", "open", "chunks", "extension"],
)
async def test_slow_and_endless_answers_are_given_up(web, head, piece):
    def slow(connection, _):
        connection.sendall(head)
        web.trickle(connection, piece)

    web.answers["/"] = slow
    await refusal(fetcher(web, url_seconds=1.0), f"http://127.0.0.1:{web.port}/")


async def test_a_slow_name_server_is_given_up(web):
    async def never(host):
        await asyncio.sleep(3600)

    asking = fetcher(web, names=never, url_seconds=0.3)
    await refusal(asking, f"http://pictures.example:{web.port}/")


async def test_only_a_few_are_fetched_at_once_and_failures_give_their_place_back(web):
    release = asyncio.Event()

    async def waiting(host):
        await release.wait()
        return ["127.0.0.9"]

    asking = fetcher(web, names=waiting)
    url = f"http://pictures.example:{web.port}/"
    for _ in range(2):
        release.clear()
        held = [asyncio.create_task(refusal(asking, url)) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await fetched(asking, url)
        release.set()
        await asyncio.gather(*held)
