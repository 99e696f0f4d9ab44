"""Pauses and the time limit of polling a service or a job."""

import time
from collections.abc import Callable

from client_sdk._arguments import is_seconds
from client_sdk.errors import ApiError, JobFailed, LookalikeError, TimeoutExceeded, UsageError
from client_sdk.schemas import Job, JobState

GROWTH = 1.3
MAX_INTERVAL = 2.0
LAST_LOOK_SECONDS = 1.0


class Patience:
    """A time limit, and pauses between polls that grow up to two seconds.

    Args:
        timeout: The time limit, in seconds.
        interval: The first pause, in seconds; a larger one than two seconds does not grow.
        clock: A monotonic clock, in seconds.

    Raises:
        UsageError: If the timeout is not a number of seconds, or the interval not above 0.
    """

    def __init__(
        self, *, timeout: float, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not (is_seconds(timeout) and is_seconds(interval) and interval > 0):
            raise UsageError(
                f"cannot wait timeout={timeout!r} seconds, looking every interval={interval!r}"
            )
        self._clock = clock
        self._timeout = timeout
        self._end = clock() + timeout
        self._interval = interval
        self._longest = max(interval, MAX_INTERVAL)

    @property
    def request_seconds(self) -> float:
        """The seconds that the next poll may take, at least `LAST_LOOK_SECONDS`."""
        return max(self._end - self._clock(), LAST_LOOK_SECONDS)

    def pause(self, awaited: str, error: LookalikeError | None = None) -> float:
        """Return the seconds until the next poll.

        Args:
            awaited: A description of the missing event, for the message of a timeout.
            error: The error of the last poll, if it failed.

        Raises:
            LookalikeError: If the error is not temporary.
            TimeoutExceeded: If the time limit is over.
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


def is_complete(job: Job) -> bool:
    """Return True if a job is completed; raise `JobFailed` if it ended otherwise."""
    if job.state.is_final and job.state is not JobState.COMPLETED:
        raise JobFailed(job)
    return job.state is JobState.COMPLETED


def standing(identifier: str, job: Job | None) -> str:
    """Return a description of the state of a job, for the message of `TimeoutExceeded`."""
    if job is None:
        return f"job {identifier} could not be asked for"
    return f"job {identifier} is still {job.state} with {job.done} of {job.total}; it goes on"
