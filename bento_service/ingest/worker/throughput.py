"""The throughput of jobs, over a sliding window."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 30.0
_LEAST_SECONDS = 0.5


@dataclass
class _Done:
    """The processed files of one job: times in the window, each with a number of files."""

    since: float
    moments: deque[tuple[float, int]] = field(default_factory=deque)


class Rates:
    """The files that were processed in the last `WINDOW_SECONDS`, by job.

    Times come from a monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self._done: dict[int, _Done] = {}

    def begin(self, job_number: int, now: float) -> None:
        """Begin to measure a job."""
        self._done[job_number] = _Done(now)

    def add(self, job_number: int, files: int, now: float) -> None:
        """Count processed files of a job; ignore a job that is not measured."""
        if done := self._done.get(job_number):
            done.moments.append((now, files))
            while done.moments[0][0] <= now - WINDOW_SECONDS:
                done.moments.popleft()

    def forget(self, job_number: int) -> None:
        """Stop measuring a job."""
        self._done.pop(job_number, None)

    def per_second(self, job_number: int, now: float) -> float | None:
        """Return a job's files per second over the window, or since `begin` if that is later.

        A pause counts as time, so it lowers the rate while it is in the window. The result is
        `None` just after `begin`, and if no file was processed in the window.
        """
        done = self._done.get(job_number)
        if done is None:
            return None
        seconds = min(now - done.since, WINDOW_SECONDS)
        files = sum(number for at, number in list(done.moments) if at > now - WINDOW_SECONDS)
        return files / seconds if files and seconds >= _LEAST_SECONDS else None
