"""How much may be asked at once, and how long it may take."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.http.problems import answer_error
from bento_service.errors import Overloaded, RequestTimeout, TimeExceeded

_ALWAYS = ("/metrics",)  # who looks after the service has to see it most when it is busy
_SLOWEST = 16 * 1024
_PIECE = 256 * 1024
_STREAM = "text/event-stream"


@dataclass(frozen=True)
class HttpLimits:
    """What one service takes.

    Attributes:
        max_request_bytes: Largest form.
        max_json_bytes: Largest body that is no form; it is held in memory.
        in_flight: Requests that are worked on at once. Streams of events have their own limit.
        streams: Streams of events at once.
        body_seconds: A body may fall this far behind 16 KiB a second.
        request_seconds: From a request's first byte until its answer begins.
    """

    max_request_bytes: int
    max_json_bytes: int = 16 * 2**20
    in_flight: int = 128
    streams: int = 256
    body_seconds: float = 20.0
    request_seconds: float = 600.0


class InFlight:
    """Lets in as many requests as are allowed at once, and refuses the others without waiting.

    A request counts until its answer has left, which is sent in pieces for that. A stream of events
    does nothing most of the time, so it counts only until it has begun.
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
                f"{self._most} requests are being worked on, no more are taken; try again shortly, "
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
    """A message, or several where its body is large: a server takes one that it cannot send yet."""
    body = message.get("body", b"")
    for at in range(0, len(body) - _PIECE, _PIECE):
        yield {**message, "body": body[at : at + _PIECE], "more_body": True}
    rest = max(0, (len(body) - 1) // _PIECE * _PIECE)
    yield {**message, "body": body[rest:]} if rest else message


class TimeLimit:
    """Gives up bodies that come too slowly, and answers that do not begin in time."""

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
        # A thread cannot be stopped; so what waits for one is left behind, and counted on.
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
        return RequestTimeout(f"the body did not come within {seconds}; send less at once")


class _Exchange:
    """One request and its answer; knows how much time is left for which."""

    limit: asyncio.Timeout

    def __init__(self, receive: Receive, send: Send, body_seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._most_seconds = self._seconds = body_seconds
        self._is_answered = False
        self.is_whole = False

    async def receive(self) -> Message:
        """The next piece of the body.

        Raises:
            RequestTimeout: It is not there in time.
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
                "the body comes too slowly, or is shorter than it says; what came is discarded"
            ) from error
        # Only waiting counts, not what is done with the pieces in between.
        left = self._seconds - (loop.time() - began)
        earned = len(message.get("body", b"")) / _SLOWEST
        self._seconds = max(0.0, min(self._most_seconds, left + earned))
        self.is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer, unless another answer was given by now."""
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
