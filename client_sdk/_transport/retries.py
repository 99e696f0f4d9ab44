"""The rules of retries: which requests are sent again, when, and how often.

The pauses are random, below a limit that doubles ("full jitter"; M. Brooker, Exponential Backoff
and Jitter, 2015), so that clients that failed together do not retry together. The seconds of
`Retry-After` (RFC 9110, section 10.2.3) are added.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from client_sdk._arguments import is_seconds, is_whole
from client_sdk.errors import PASSING_STATUSES, UsageError, retry_after

REPEATABLE = "lookalike.repeatable"
"""The extension of a request that allows or forbids a retry."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
BROKEN = (httpx.ConnectTimeout, httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError)
"""The exceptions after which a request is retried."""

# Raised before the request was sent, so that it had no effect.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The limits of retries after a temporary failure.

    A call is retried if its connection cannot be made or breaks, also in the middle of the answer,
    and if the answer is 429, 502, 503 or 504. A call that times out is not retried.

    Attributes:
        attempts: The largest number of attempts; 1 means no retries.
        seconds: The longest time between the first attempt and the start of another one.
        first_pause: The longest pause before the second attempt, in seconds; it doubles with each
            attempt.
        longest_pause: The limit of that doubling, in seconds; a pause that the service asks for
            may be longer.

    Raises:
        UsageError: If a value is out of range.
    """

    attempts: int = 5
    seconds: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 8.0

    def __post_init__(self) -> None:
        times = (self.seconds, self.first_pause, self.longest_pause)
        if not is_whole(self.attempts, 1) or not all(is_seconds(one) for one in times):
            raise UsageError(f"{self} makes no sense; give 1 attempt or more, and seconds from 0")

    @classmethod
    def of(cls, given: "Retries | int") -> "Retries":
        """Return the given object, or the default limits with a number of further attempts."""
        if isinstance(given, Retries):
            return given
        if not is_whole(given, 0):
            raise UsageError(
                f"retries={given!r} makes no sense; give a number from 0, or Retries()"
            )
        return cls(attempts=given + 1)


class Course:
    """The counter of the attempts of one request; it computes the pauses between them.

    Args:
        request: The request.
        retries: The limits.
        clock: A monotonic clock, in seconds.
        draw: Returns a random number in [0, 1).
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
        """Return the seconds until the next attempt; `None` if this outcome is the last."""
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
        """Return the final answer of the request.

        If the answer to a DELETE was lost, its retry may answer 404 because the first attempt has
        succeeded. Such a 404 becomes 204.
        """
        if self._may_be_done and self._request.method == "DELETE" and response.status_code == 404:
            return httpx.Response(204, request=self._request)
        return response


def is_repeatable(request: httpx.Request) -> bool:
    """Return True if a request may be retried; a body that can be read only once forbids it."""
    said = request.extensions.get(REPEATABLE)
    if said is not None:
        return bool(said)
    harmless = request.method in _IDEMPOTENT or "idempotency-key" in request.headers
    return harmless and isinstance(request.stream, httpx.ByteStream)


def with_body(response: httpx.Response, body: bytes) -> httpx.Response:
    """Return the response with a complete body, which is still content-encoded."""
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx.ByteStream(body),
        extensions=response.extensions,
    )
