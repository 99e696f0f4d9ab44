"""How fast jobs go, over a sliding window."""

from collections import deque

WINDOW_SECONDS = 30.0


class Rates:
    """Files that were dealt with in the last `WINDOW_SECONDS`, by job."""

    def __init__(self) -> None:
        self._done: dict[int, deque[tuple[float, int]]] = {}

    def add(self, job_number: int, files: int, now: float) -> None:
        """Count files of a job, at a moment of a monotonic clock in seconds."""
        done = self._done.setdefault(job_number, deque())
        done.append((now, files))
        for number in [n for n, moments in self._done.items() if _is_past(moments, now)]:
            del self._done[number]

    def per_second(self, job_number: int, now: float) -> float | None:
        """Files a second of a job; `None` before two batches were done in the window."""
        moments = [(at, n) for at, n in self._done.get(job_number, ()) if _is_recent(at, now)]
        if len(moments) < 2:
            return None
        # The first batch only tells when the window begins.
        return sum(n for _, n in moments[1:]) / max(now - moments[0][0], 1e-3)


def _is_recent(at: float, now: float) -> bool:
    return now - at <= WINDOW_SECONDS


def _is_past(moments: deque[tuple[float, int]], now: float) -> bool:
    while len(moments) > 1 and not _is_recent(moments[0][0], now):
        moments.popleft()
    return not _is_recent(moments[-1][0], now)
