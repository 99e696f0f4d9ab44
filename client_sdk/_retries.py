"""Retries as a transport: what fails for a moment is asked again, where that does no harm.

Waits before the further attempts are random, below a limit that doubles ("full jitter"; M. Brooker,
Exponential Backoff and Jitter, 2015), so that clients which were turned away together do not come
back together. `Retry-After` (RFC 9110, section 10.2.3) is waited for in addition.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from client_sdk.errors import PASSING_STATUSES, UsageError, retry_after

REPEATABLE = "lookalike.repeatable"
"""The extension of a request that says whether it may be sent twice."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_BROKEN = (
    httpx.ConnectTimeout,
    httpx.NetworkError,
    httpx.ProxyError,
    httpx.RemoteProtocolError,
)
# Before a byte of the request was sent: nothing can have come of it.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and for how long, a call is sent again that failed for a moment.

    That are a connection which cannot be made or breaks, also in the middle of the answer, and the
    statuses 429, 502, 503 and 504. An answer that does not come in time is not asked for again.

    Attributes:
        attempts: How often a call is sent at most; 1 sends nothing again.
        seconds: After so many seconds since the first no further attempt begins.
        first_pause: Most seconds before the second attempt; doubles from one to the next.
        longest_pause: Most seconds before any attempt that the service did not ask for.

    Raises:
        UsageError: If one of them makes no sense.
    """

    attempts: int = 5
    seconds: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 8.0

    def __post_init__(self) -> None:
        times = (self.seconds, self.first_pause, self.longest_pause)
        if self.attempts < 1 or not all(0 <= one < math.inf for one in times):
            raise UsageError(f"{self} makes no sense; give 1 attempt or more, and seconds from 0")

    @classmethod
    def of(cls, given: "Retries | int") -> "Retries":
        """As they are, or the usual ones with so many further attempts.

        Raises:
            UsageError: If the number is below 0.
        """
        return given if isinstance(given, Retries) else cls(attempts=given + 1)


class Course:
    """How the sending of one request goes on. Talks to nobody.

    Args:
        request: Which one.
        retries: How often and how long.
        clock: Seconds that never go back.
        draw: A random number in [0, 1).
    """

    def __init__(
        self,
        request: httpx.Request,
        retries: Retries,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._request = request
        self._retries = retries
        self._clock = clock
        self._draw = draw
        self._end = clock() + retries.seconds
        self._sent = 0
        self._may_be_done = False

    def pause_after(self, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds until the next attempt; `None` if it stays at this outcome."""
        self._sent += 1
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in PASSING_STATUSES:
                return None
            asked = retry_after(outcome) or 0.0
        else:
            self._may_be_done |= not isinstance(outcome, _NOT_SENT)
            asked = 0.0
        if self._sent >= self._retries.attempts:
            return None
        ceiling = min(
            self._retries.first_pause * 2.0 ** (self._sent - 1), self._retries.longest_pause
        )
        pause = asked + self._draw() * ceiling
        return pause if self._clock() + pause < self._end else None

    def last(self, response: httpx.Response) -> httpx.Response:
        """The answer as the caller sees it.

        A DELETE whose first answer was lost and whose second is 404 has deleted what it should.
        """
        if self._may_be_done and self._request.method == "DELETE" and response.status_code == 404:
            return httpx.Response(204, request=self._request)
        return response


class RetryTransport(httpx.BaseTransport):
    """Sends over another transport, and again where that helps and does no harm.

    Again are sent GET, HEAD, OPTIONS and DELETE, requests with an `Idempotency-Key`, and those
    that say by the extension `lookalike.repeatable` that they change nothing; never one whose body
    cannot be read twice. The answers to such requests are read whole before they are passed on.

    Args:
        transport: What sends; httpx's own where none is given.
        retries: How often and for how long.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._transport = transport or httpx.HTTPTransport()
        self._retries = retries or Retries()
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        if not _is_repeatable(request):
            return self._transport.handle_request(request)
        course = Course(request, self._retries)
        while True:
            try:
                response = self._whole(request)
            except _BROKEN as error:
                pause = course.pause_after(error)
                if pause is None:
                    raise
            else:
                pause = course.pause_after(response)
                if pause is None:
                    return course.last(response)
            self._sleep(pause)

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def _whole(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        try:
            assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - for the types
            body = b"".join(response.stream)
        finally:
            response.close()
        return _with_body(response, body)


class AsyncRetryTransport(httpx.AsyncBaseTransport):
    """`RetryTransport` for `AsyncClient`.

    Args:
        transport: What sends; httpx's own where none is given.
        retries: How often and for how long.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: Retries | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._transport = transport or httpx.AsyncHTTPTransport()
        self._retries = retries or Retries()
        self._sleep = sleep

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        if not _is_repeatable(request):
            return await self._transport.handle_async_request(request)
        course = Course(request, self._retries)
        while True:
            try:
                response = await self._whole(request)
            except _BROKEN as error:
                pause = course.pause_after(error)
                if pause is None:
                    raise
            else:
                pause = course.pause_after(response)
                if pause is None:
                    return course.last(response)
            await self._sleep(pause)

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._transport.aclose()

    async def _whole(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        try:
            assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for the types
            body = b"".join([piece async for piece in response.stream])
        finally:
            await response.aclose()
        return _with_body(response, body)


def _is_repeatable(request: httpx.Request) -> bool:
    said = request.extensions.get(REPEATABLE)
    if said is not None:
        return bool(said)
    harmless = request.method in _IDEMPOTENT or "idempotency-key" in request.headers
    return harmless and isinstance(request.stream, httpx.ByteStream)


def _with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    """The response with a body that is all there, still encoded as it came."""
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx.ByteStream(body),
        extensions=response.extensions,
    )
