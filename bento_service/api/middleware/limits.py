"""Limits on concurrent requests and on their duration."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.http.problems import answer_error
from bento_service.errors import Overloaded, RequestTimeout, TimeExceeded

_ALWAYS = ("/metrics",)  # monitoring matters most when the service is busy
_SLOWEST = 16 * 1024
_PIECE = 256 * 1024
_STREAM = "text/event-stream"


@dataclass(frozen=True)
class HttpLimits:
    """Sizes, numbers and times that requests may not exceed.

    Attributes:
        max_request_bytes: Largest form.
        max_json_bytes: Largest other body; it is kept in memory.
        in_flight: Concurrent requests, without event streams.
        streams: Concurrent event streams.
        body_seconds: Seconds that a body may fall behind 16 KiB a second.
        request_seconds: Time limit from a request's first byte to the start of its answer.
    """

    max_request_bytes: int
    max_json_bytes: int = 16 * 2**20
    in_flight: int = 128
    streams: int = 256
    body_seconds: float = 20.0
    request_seconds: float = 600.0


class InFlight:
    """Middleware that rejects requests above the limit of concurrent ones.

    A request counts until its whole answer is sent; large answers are sent in pieces, so that a
    slow reader keeps its place. An event stream, mostly idle, counts only until it has started.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._under_way: set[object] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _ALWAYS:
            await self._app(scope, receive, send)
            return
        if len(self._under_way) >= self._most:
            error = Overloaded(
                f"the service is working on {self._most} requests, its limit; try again shortly, "
                "or raise LOOKALIKE_REQUESTS_IN_FLIGHT"
            )
            await answer_error(Request(scope), error)(scope, receive, send)
            return
        own = object()
        self._under_way.add(own)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                kind = Headers(raw=message.get("headers", [])).get("content-type", "")
                if kind.startswith(_STREAM):
                    self._under_way.discard(own)
            for piece in _pieces(message):
                await send(piece)

        try:
            await self._app(scope, receive, watched)
        finally:
            self._under_way.discard(own)


def _pieces(message: Message) -> Iterator[Message]:
    """Split a message with a large body: a server buffers one message whatever its size."""
    body = message.get("body", b"")
    for at in range(0, len(body) - _PIECE, _PIECE):
        yield {**message, "body": body[at : at + _PIECE], "more_body": True}
    rest = max(0, (len(body) - 1) // _PIECE * _PIECE)
    yield {**message, "body": body[rest:]} if rest else message


class TimeLimit:
    """Middleware that times out slow bodies, and answers that do not start in time."""

    def __init__(self, app: ASGIApp, body_seconds: float, request_seconds: float) -> None:
        self._app = app
        self._body_seconds = body_seconds
        self._request_seconds = request_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._body_seconds)
        exchange.is_whole = not _has_body(Headers(scope=scope))
        # A running thread cannot be cancelled: stop waiting for it, but keep counting it.
        work = asyncio.ensure_future(self._app(scope, exchange.receive, exchange.send))
        limit = exchange.limit = asyncio.timeout(self._request_seconds)
        try:
            async with limit:
                await asyncio.shield(work)
        except TimeoutError:
            if not limit.expired():
                raise
            await answer_error(Request(scope), self._late(exchange))(scope, receive, send)
        finally:
            if not work.done():
                work.cancel()
                work.add_done_callback(_forgotten)

    def _late(self, exchange: "_Exchange") -> RequestTimeout | TimeExceeded:
        seconds = f"{self._request_seconds:g} s"
        if exchange.is_whole:
            return TimeExceeded(f"there was no answer within {seconds}; try again later")
        return RequestTimeout(f"the body did not arrive within {seconds}; send less at once")


class _Exchange:
    """One request and its answer, with the time that is left for each."""

    limit: asyncio.Timeout

    def __init__(self, receive: Receive, send: Send, body_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._most_seconds = self._seconds = body_seconds
        self._is_answered = False
        self.is_whole = False

    async def receive(self) -> Message:
        """Receive the next piece of the body.

        Raises:
            RequestTimeout: The piece did not arrive in time.
        """
        if self.is_whole or self._is_answered:
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._receive()
        except TimeoutError as error:
            raise RequestTimeout(
                "the body arrives too slowly, or is shorter than declared; it was discarded"
            ) from error
        # Only the time spent waiting for the body counts.
        left = self._seconds - (loop.time() - began)
        earned = len(message.get("body", b"")) / _SLOWEST
        self._seconds = max(0.0, min(self._most_seconds, left + earned))
        self.is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer, unless the time-out has been answered."""
        if self.limit.expired():
            return
        if not self._is_answered:
            self._is_answered = True
            self.limit.reschedule(None)
        await self._send(message)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _forgotten(work: "asyncio.Future[None]") -> None:
    with suppress(asyncio.CancelledError):
        work.exception()
