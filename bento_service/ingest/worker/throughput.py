"""The throughput of jobs, over a sliding window."""

from collections import deque
from dataclasses import dataclass

WINDOW_SECONDS = 30.0
_LEAST_SECONDS = 0.5


@dataclass
class _Seen:
    """The counts of one job's processed files: the last one before the window and those in it."""

    since: float
    counts: deque[tuple[float, int]]


class Rates:
    """The files that were processed in the last `WINDOW_SECONDS`, by job.

    The counts are those of the catalogue, so they include what other replicas have processed.
    Times come from a monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def observe(self, job_number: int, processed: int, now: float) -> None:
        """Note how many files of a job have been processed; the first call begins to measure."""
        count = now, processed
        seen = self._seen.setdefault(job_number, _Seen(now, deque([count])))
        if seen.counts[-1][1] != processed:
            seen.counts.append(count)
        while len(seen.counts) > 1 and seen.counts[1][0] <= now - WINDOW_SECONDS:
            seen.counts.popleft()

    def forget(self, job_number: int) -> None:
        """Stop measuring a job."""
        self._seen.pop(job_number, None)

    def per_second(self, job_number: int, now: float) -> float | None:
        """Return a job's files per second over the window, or since its first count.

        A pause counts as time, so it lowers the rate while it is in the window. The result is
        `None` just after the first count, and if no file was processed in the window.
        """
        seen = self._seen.get(job_number)
        if seen is None:
            return None
        counts = list(seen.counts)
        before = [count for at, count in counts if at <= now - WINDOW_SECONDS]
        seconds = min(now - seen.since, WINDOW_SECONDS)
        files = counts[-1][1] - (before[-1] if before else counts[0][1])
        return files / seconds if files > 0 and seconds >= _LEAST_SECONDS else None
