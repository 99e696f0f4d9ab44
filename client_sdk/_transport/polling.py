"""Pauses and the time limit of polling a service or a job."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from client_sdk.errors import ApiError, LookalikeError, TimeoutExceeded, UsageError

GROWTH = 1.3
MAX_INTERVAL = 2.0
MIN_REQUEST_SECONDS = 1.0


@dataclass(kw_only=True)
class Polling:
    """A time limit, and pauses between polls that grow from `interval` to two seconds."""

    timeout: float
    interval: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        if not (0 <= self.timeout < math.inf and 0 < self.interval < math.inf):
            raise UsageError(
                f"cannot wait with timeout={self.timeout!r} and interval={self.interval!r}; give "
                "finite seconds, 0 or more for the timeout and more than 0 for the interval"
            )
        self._end = self.clock() + self.timeout
        self._longest = max(self.interval, MAX_INTERVAL)

    @property
    def request_seconds(self) -> float:
        """The seconds that the next poll may take, at least `MIN_REQUEST_SECONDS`."""
        return max(self._end - self.clock(), MIN_REQUEST_SECONDS)

    def pause(self, awaited: str, error: LookalikeError | None = None) -> float:
        """Return the seconds until the next poll; raise if there is none, or its error is final."""
        if error is not None and not error.is_passing:
            raise error
        left = self._end - self.clock()
        if left <= 0:
            raise TimeoutExceeded(f"{awaited} after {self.timeout:g} s") from error
        asked = error.retry_after if isinstance(error, ApiError) else None
        pause = max(self.interval, asked or 0.0)
        self.interval = min(self.interval * GROWTH, self._longest)
        return min(pause, left)
