"""Limits on the number, the size and the duration of requests."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.http.problems import answer_error
from bento_service.errors import LookalikeError, Overloaded, RequestTimeout, TimeExceeded, TooLarge
from bento_service.settings import Settings

_UNLIMITED = ("/metrics",)  # monitoring matters most when the service is busy
# Forms are written to disk while they arrive; every other body is kept in memory.
_FORM_ROUTES = (
    "/api/v1/search",
    "/api/v2/compare",
    "/api/v2/describe",
    "/api/v2/search",
    "/api/v2/train",
)
_MIN_BYTES_A_SECOND = 16 * 1024
_PIECE_BYTES = 256 * 1024
_EVENT_STREAM = "text/event-stream"


@dataclass(eq=False)
class RequestLimits:
    """Middleware that rejects requests over a limit, and times out slow bodies and answers.

    A request counts as in flight until its whole answer is sent; large answers are sent in pieces,
    so that a slow reader keeps its place. An event stream, mostly idle, counts only until it has
    started. Bodies are limited by declared and by received size.
    """

    app: ASGIApp
    settings: Settings
    _in_flight: "set[_Exchange]" = field(default_factory=set, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self.settings, self._in_flight)
        # A running thread cannot be cancelled: stop waiting for it, but keep counting it.
        work = asyncio.ensure_future(self._serve(scope, exchange))
        limit = exchange.limit = asyncio.timeout(self.settings.request_seconds)
        try:
            async with limit:
                await asyncio.shield(work)
        except TimeoutError:
            if not limit.expired():
                raise
            await answer_error(Request(scope), exchange.late())(scope, receive, send)
        finally:
            if not work.done():
                work.cancel()
                work.add_done_callback(_ignore_result)

    async def _serve(self, scope: Scope, exchange: "_Exchange") -> None:
        if scope["path"] not in _UNLIMITED and (error := self._overloaded()):
            await exchange.reject(error)
            return
        if scope["path"] not in _UNLIMITED:
            self._in_flight.add(exchange)
        try:
            if exchange.declares_too_much:
                await exchange.reject(exchange.too_large())
            else:
                await self.app(scope, exchange.receive, exchange.send)
        finally:
            self._in_flight.discard(exchange)

    def _overloaded(self) -> Overloaded | None:
        if len(self._in_flight) < self.settings.requests_in_flight:
            return None
        return Overloaded(
            f"the service is working on {self.settings.requests_in_flight} requests, its limit; "
            "try again shortly, or raise LOOKALIKE_REQUESTS_IN_FLIGHT"
        )


class _Exchange:
    """One request and its answer, with the bytes and the time that are left."""

    limit: asyncio.Timeout

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        settings: Settings,
        in_flight: "set[_Exchange]",
    ) -> None:
        headers = Headers(scope=scope)
        self._scope = scope
        self._receive = receive
        self._send = send
        self._settings = settings
        self._in_flight = in_flight
        kind = headers.get("content-type", "").lower()
        self._is_form = scope["path"] in _FORM_ROUTES and kind.startswith("multipart/form-data")
        self._seconds = settings.body_seconds
        self._received = 0
        self._is_answered = False
        declared = headers.get("content-length", "0")
        self._is_whole = declared == "0" and "transfer-encoding" not in headers
        self.declares_too_much = declared.isdigit() and int(declared) > self._max_bytes

    @property
    def _max_bytes(self) -> int:
        most = self._settings.max_request_bytes
        return most if self._is_form else min(most, self._settings.max_json_bytes)

    async def receive(self) -> Message:
        """Receive the next piece of the body.

        Raises:
            RequestTimeout: The piece did not arrive in time.
            TooLarge: The body exceeds the limit.
        """
        message = await self._next()
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            raise self.too_large()
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer, unless the time-out has been answered."""
        if self.limit.expired():
            return
        if not self._is_answered:
            self._is_answered = True
            self.limit.reschedule(None)
            kind = Headers(raw=message.get("headers", [])).get("content-type", "")
            if kind.startswith(_EVENT_STREAM):
                self._in_flight.discard(self)
        for piece in _pieces(message):
            await self._send(piece)

    async def reject(self, error: LookalikeError) -> None:
        """Answer with an error."""
        await answer_error(Request(self._scope), error)(self._scope, self.receive, self.send)

    def too_large(self) -> TooLarge:
        """Return the error of a body over the limit."""
        most = self._max_bytes
        if self._is_form:
            return TooLarge(
                f"the request has more than {most} bytes; send less at once, or raise "
                "LOOKALIKE_MAX_REQUEST_BYTES"
            )
        return TooLarge(
            f"the body has more than {most} bytes; send less at once, pictures as a form, or raise "
            "LOOKALIKE_MAX_JSON_BYTES"
        )

    def late(self) -> RequestTimeout | TimeExceeded:
        """Return the error of an answer that did not start in time."""
        seconds = f"{self._settings.request_seconds:g} s"
        if self._is_whole:
            return TimeExceeded(f"there was no answer within {seconds}; try again later")
        return RequestTimeout(f"the body did not arrive within {seconds}; send less at once")

    async def _next(self) -> Message:
        if self._is_whole or self._is_answered:
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
        earned = len(message.get("body", b"")) / _MIN_BYTES_A_SECOND
        self._seconds = max(0.0, min(self._settings.body_seconds, left + earned))
        self._is_whole = not message.get("more_body", False)
        return message


def _pieces(message: Message) -> Iterator[Message]:
    """Split a message with a large body: a server buffers one message whatever its size."""
    body = message.get("body", b"")
    for at in range(0, len(body) - _PIECE_BYTES, _PIECE_BYTES):
        yield {**message, "body": body[at : at + _PIECE_BYTES], "more_body": True}
    rest = max(0, (len(body) - 1) // _PIECE_BYTES * _PIECE_BYTES)
    yield {**message, "body": body[rest:]} if rest else message


def _ignore_result(work: "asyncio.Future[None]") -> None:
    with suppress(asyncio.CancelledError):
        work.exception()
