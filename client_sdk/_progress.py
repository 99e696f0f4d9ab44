"""Progress on stderr: one line that is updated in a terminal, or a few lines in a log."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO

from client_sdk.schemas import Job

SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """A progress display, updated at once in a terminal, and every few seconds in a log."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._shown: str = ""
        self._last: str = ""
        self._next = clock()

    def __call__(self, job: Job) -> None:
        """Show the progress of a job; a log gets no line before its first file is found."""
        if self._live or job.total or job.state.is_final:
            self.line(describe(job))

    def line(self, line: str) -> None:
        """Show a line, unless it repeats the last one or, in a log, follows it too soon."""
        self._last = line
        if self._live or self._clock() >= self._next:
            self._show()

    def end(self) -> None:
        """Show the last line if it was skipped, and end the updated line of a terminal."""
        self._show()
        if self._live and self._shown:
            self._stream.write("\n")
        self._shown = self._last = ""

    def _show(self) -> None:
        if self._last == self._shown:
            return
        self._shown = self._last
        self._next = self._clock() + SECONDS_BETWEEN_LINES
        self._stream.write(f"\r{self._last}\x1b[K" if self._live else f"{self._last}\n")
        self._stream.flush()


@contextmanager
def showing(*, shown: bool) -> Generator[Progress | None]:
    """Yield a display on stderr; `None` unless `shown`."""
    progress = Progress(sys.stderr) if shown else None
    try:
        yield progress
    finally:
        if progress is not None:
            progress.end()


def describe(job: Job) -> str:
    """Return a description of the progress of a job in one line."""
    line = f"{job.state}: {job.done} of {job.total}"
    if job.images_per_second:
        line += f", {job.images_per_second:.1f} images/s"
    if job.eta_seconds:
        line += f", about {job.eta_seconds:.0f} s left"
    return line
