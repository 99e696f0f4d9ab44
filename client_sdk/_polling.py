"""Waiting for something that the service does by itself: when to look again, and when to stop."""

import math
import time
from collections.abc import Callable

from client_sdk.errors import ApiError, JobFailed, LookalikeError, TimeoutExceeded, UsageError
from client_sdk.schemas import Job, JobState

GROWTH = 1.3
MAX_INTERVAL = 2.0
LAST_LOOK_SECONDS = 1.0


class Patience:
    """A time limit and, until then, pauses that grow gently up to two seconds.

    Args:
        timeout: Seconds until the waiting ends.
        interval: Seconds of the first pause.
        clock: Seconds that never go back.

    Raises:
        UsageError: If the timeout is not a number of seconds, or the interval not above 0.
    """

    def __init__(
        self, *, timeout: float, interval: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 0 <= timeout < math.inf or not 0 < interval < math.inf:
            raise UsageError(f"cannot wait {timeout} s, looking every {interval} s")
        self._clock = clock
        self._timeout = timeout
        self._end = clock() + timeout
        self._interval = interval
        self._longest = max(interval, MAX_INTERVAL)

    @property
    def request_seconds(self) -> float:
        """How long the next look may take; never so short that it could not succeed."""
        return max(self._end - self._clock(), LAST_LOOK_SECONDS)

    def pause(self, awaited: str, error: LookalikeError | None = None) -> float:
        """Seconds to pause before the next look.

        Args:
            awaited: What is waited for and how it stands, for the message.
            error: What the last look raised; does not end the waiting if it may pass.

        Raises:
            TimeoutExceeded: If the time is over.
            LookalikeError: The given error, if it will not pass by itself.
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
    """Whether a job has done its work.

    Raises:
        JobFailed: If it ended otherwise.
    """
    if job.state.is_final and job.state is not JobState.COMPLETED:
        raise JobFailed(job)
    return job.state is JobState.COMPLETED


def standing(identifier: str, job: Job | None) -> str:
    """How a job that is waited for stands, for the message of `TimeoutExceeded`."""
    if job is None:
        return f"job {identifier} could not be asked for"
    return f"job {identifier} is still {job.state} with {job.done} of {job.total}; it goes on"
