"""The transport that retries requests."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from client_sdk._transport.retries import RETRYABLE, Attempts, Retries, is_repeatable


class AsyncRetryTransport(httpx.AsyncBaseTransport):
    """A transport that sends requests over another one, and retries after temporary failures.

    It retries GET, HEAD, OPTIONS and DELETE, requests with an `Idempotency-Key`, and requests that
    the extension `lookalike.repeatable` marks as safe to repeat, but no request whose body cannot
    be read twice. It reads the complete answer to a retryable request before returning it.

    Args:
        transport: The transport that sends; httpx's own by default.
        retries: The limits; `Retries()` by default.
        sleep: A function that waits for a number of seconds.
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
        if not is_repeatable(request):
            return await self._transport.handle_async_request(request)
        attempts = Attempts(request, self._retries)
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._whole(request)
            except RETRYABLE as error:
                outcome = error
            pause = attempts.pause_after(outcome)
            if pause is None:
                return attempts.last(outcome)
            await self._sleep(pause)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _whole(self, request: httpx.Request) -> httpx.Response:
        """Return the response with its complete body, which is still content-encoded."""
        response = await self._transport.handle_async_request(request)
        try:
            assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for the types
            body = httpx.ByteStream(b"".join([piece async for piece in response.stream]))
        finally:
            await response.aclose()
        status, headers = response.status_code, response.headers
        return httpx.Response(status, headers=headers, stream=body, extensions=response.extensions)
