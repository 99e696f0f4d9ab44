# Generated from client_sdk/_async/retries.py by `make sync`; edit that file instead.
"""The transport that retries requests."""

import time
from collections.abc import Callable

import httpx

from client_sdk._transport.retries import RETRYABLE, Attempts, Retries, is_repeatable


class RetryTransport(httpx.BaseTransport):
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
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._transport = transport or httpx.HTTPTransport()
        self._retries = retries or Retries()
        self._sleep = sleep

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not is_repeatable(request):
            return self._transport.handle_request(request)
        attempts = Attempts(request, self._retries)
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._whole(request)
            except RETRYABLE as error:
                outcome = error
            pause = attempts.pause_after(outcome)
            if pause is None:
                return attempts.last(outcome)
            self._sleep(pause)

    def close(self) -> None:
        self._transport.close()

    def _whole(self, request: httpx.Request) -> httpx.Response:
        """Return the response with its complete body, which is still content-encoded."""
        response = self._transport.handle_request(request)
        try:
            assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - for the types
            body = httpx.ByteStream(b"".join([piece for piece in response.stream]))
        finally:
            response.close()
        status, headers = response.status_code, response.headers
        return httpx.Response(status, headers=headers, stream=body, extensions=response.extensions)
