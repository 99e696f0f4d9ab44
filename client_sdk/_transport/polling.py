"""Pauses and the time limit of polling a service or a job."""

import math
import time
from collections.abc import Callable

from client_sdk.errors import ApiError, LookalikeError, TimeoutExceeded, UsageError
from client_sdk.schemas import Job

GROWTH = 1.3
MAX_INTERVAL = 2.0
MIN_REQUEST_SECONDS = 1.0


class Polling:
    """A time limit, and pauses between polls that grow from `interval` to two seconds."""

    def __init__(
        self, *, timeout: float, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not (0 <= timeout < math.inf and 0 < interval < math.inf):
            raise UsageError(
                f"cannot wait with timeout={timeout!r} and interval={interval!r}; give finite "
                "seconds, 0 or more for the timeout and more than 0 for the interval"
            )
        self._clock = clock
        self._timeout = timeout
        self._end = clock() + timeout
        self._interval = interval
        self._longest = max(interval, MAX_INTERVAL)

    @property
    def request_seconds(self) -> float:
        """The seconds that the next poll may take, at least `MIN_REQUEST_SECONDS`."""
        return max(self._end - self._clock(), MIN_REQUEST_SECONDS)

    def pause(self, awaited: str, error: LookalikeError | None = None) -> float:
        """Return the seconds until the next poll.

        Raises:
            LookalikeError: If the error of the last poll is not temporary.
            TimeoutExceeded: If the time limit is over; its message begins with `awaited`.
        """
        if error is not None and not error.is_passing:
            raise error
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutExceeded(f"{awaited} after {self._timeout:g} s") from error
        asked = error.retry_after if isinstance(error, ApiError) else None
        pause = max(self._interval, asked or 0.0)
        self._interval = min(self._interval * GROWTH, self._longest)
        return min(pause, left)


def describe_unfinished(identifier: str, job: Job | None) -> str:
    """Return a description of the state of a job, for the message of `TimeoutExceeded`."""
    if job is None:
        return f"job {identifier} could not be requested"
    return f"job {identifier} is still {job.state} with {job.done} of {job.total}; it continues"
