"""The rules of retries: which requests are sent again, when, and how often.

The pauses are random, below a limit that doubles ("full jitter"; M. Brooker, Exponential Backoff
and Jitter, 2015), so that clients do not all retry at the same time. The seconds of `Retry-After`
(RFC 9110, section 10.2.3) are added.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from client_sdk._arguments import checked
from client_sdk._transport.failures import retry_after
from client_sdk.errors import PASSING_STATUSES, UsageError

REPEATABLE = "lookalike.repeatable"
"""The extension of a request that allows or forbids a retry."""

_log = logging.getLogger("lookalike")
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
RETRYABLE = (httpx.ConnectTimeout, httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError)
"""The exceptions after which a request is retried."""

# Raised before the request was sent, so that it had no effect.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The limits of retries after a temporary failure.

    A call is retried if its connection cannot be opened or breaks, also during the answer, and if
    the status of the answer is 429, 502, 503 or 504. A call that times out is not retried.

    Attributes:
        attempts: The largest number of attempts; 1 means no retries.
        seconds: The longest time between the first attempt and the start of another one.
        first_pause: The longest pause before the second attempt, in seconds; then it doubles.
        longest_pause: The limit of the doubling, in seconds; `Retry-After` may be longer.

    Raises:
        UsageError: If a value is out of range.
    """

    attempts: int = 5
    seconds: float = 30.0
    first_pause: float = 0.5
    longest_pause: float = 8.0

    def __post_init__(self) -> None:
        times = (self.seconds, self.first_pause, self.longest_pause)
        if self.attempts < 1 or min(times) < 0:
            raise UsageError(
                f"{self} is not usable; give at least 1 attempt, and no negative seconds"
            )

    @classmethod
    def of(cls, given: "Retries | int") -> "Retries":
        """Return the given object, or the default limits with a number of further attempts."""
        if isinstance(given, Retries):
            return given
        if given < 0:
            raise UsageError(f"retries={given!r} is not usable; give 0 or more, or Retries()")
        return cls(attempts=given + 1)


@dataclass
class Attempts:
    """The attempts of one request, and the pauses between them."""

    request: httpx.Request
    retries: Retries
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random
    _sent: int = 0
    _may_be_done: bool = False

    def __post_init__(self) -> None:
        self._end = self.clock() + self.retries.seconds

    def pause_after(self, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Return the seconds until the next attempt; `None` if this outcome is the last."""
        self._sent += 1
        asked, limits = 0.0, self.retries
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in PASSING_STATUSES:
                return None
            asked, what = retry_after(outcome) or 0.0, str(outcome.status_code)
        else:
            self._may_be_done |= not isinstance(outcome, _NOT_SENT)
            what = type(outcome).__name__
        if self._sent >= limits.attempts:
            return None
        ceiling = min(limits.first_pause * 2.0 ** min(self._sent - 1, 1000), limits.longest_pause)
        pause = asked + self.draw() * ceiling
        if self.clock() + pause >= self._end:
            return None
        place = f"{self.request.method} {self.request.url.path}"
        attempt = f"attempt {self._sent + 1} of {limits.attempts}"
        _log.info("%s: %s; %s in %.1f s", place, what, attempt, pause)
        return pause

    def last(self, outcome: httpx.Response | httpx.TransportError) -> httpx.Response:
        """Return the final answer of the request, or raise its error."""
        if isinstance(outcome, httpx.TransportError):
            raise outcome
        if self._may_be_done and self.request.method == "DELETE" and outcome.status_code == 404:
            return httpx.Response(204)  # an earlier attempt succeeded, but its answer was lost
        return outcome


def is_repeatable(request: httpx.Request) -> bool:
    """Return True if a request may be retried; a body that can be read only once forbids it."""
    marked = request.extensions.get(REPEATABLE)
    if marked is not None:
        return bool(marked)
    harmless = request.method in _IDEMPOTENT or "idempotency-key" in request.headers
    return harmless and isinstance(request.stream, httpx.ByteStream)
