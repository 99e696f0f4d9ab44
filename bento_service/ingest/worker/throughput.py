"""How fast jobs go, over a sliding window."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 30.0
_LEAST_SECONDS = 0.5


@dataclass
class _Done:
    """What was dealt with of one job: moments and numbers of files, those in the window."""

    since: float
    moments: deque[tuple[float, int]] = field(default_factory=deque)


class Rates:
    """Files that were dealt with in the last `WINDOW_SECONDS`, by job.

    Moments are those of a monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self._done: dict[int, _Done] = {}

    def begin(self, job_number: int, now: float) -> None:
        """A job is worked on from now on."""
        self._done[job_number] = _Done(now)

    def add(self, job_number: int, files: int, now: float) -> None:
        """Count files of a job that was begun; those of another one are left out."""
        if done := self._done.get(job_number):
            done.moments.append((now, files))
            while done.moments[0][0] <= now - WINDOW_SECONDS:
                done.moments.popleft()

    def forget(self, job_number: int) -> None:
        """A job is not worked on any more."""
        self._done.pop(job_number, None)

    def per_second(self, job_number: int, now: float) -> float | None:
        """Files a second of a job over the window, or since it was begun if that is later.

        A pause counts as time: it lowers the rate while it is in the window. `None` where that
        says nothing: just after the beginning, and where nothing was done in the window.
        """
        done = self._done.get(job_number)
        if done is None:
            return None
        seconds = min(now - done.since, WINDOW_SECONDS)
        files = sum(number for at, number in list(done.moments) if at > now - WINDOW_SECONDS)
        return files / seconds if files and seconds >= _LEAST_SECONDS else None
