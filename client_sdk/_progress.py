"""Showing how far a job has come: one line that changes, or now and then a line in a log."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO

from client_sdk.schemas import Job

SHOWN_ERRORS = 5
SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Shows lines about something that goes on.

    Args:
        stream: Where to; a terminal gets the line that changes.
        clock: Seconds that never go back.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._shown = ""
        self._next = clock()

    def __call__(self, job: Job) -> None:
        """Show the job, unless the same or, in a log, something else was shown just now."""
        self.line(describe(job))

    def line(self, line: str) -> None:
        """Show a line likewise."""
        if line == self._shown or (not self._live and self._clock() < self._next):
            return
        self._shown = line
        self._next = self._clock() + SECONDS_BETWEEN_LINES
        self._stream.write(f"\r{line}\x1b[K" if self._live else f"{line}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line that changes, so that what follows starts on its own."""
        if self._live and self._shown:
            self._stream.write("\n")
            self._shown = ""


@contextmanager
def watched(
    on_progress: Callable[[Job], object] | None, *, shown: bool
) -> Generator[Callable[[Job], object]]:
    """What is to be called with a job after each look at it.

    Args:
        on_progress: The caller's own wish.
        shown: Whether to show a line on stderr too.
    """
    progress = Progress(sys.stderr) if shown else None

    def look(job: Job) -> None:
        if progress is not None:
            progress(job)
        if on_progress is not None:
            on_progress(job)

    try:
        yield look
    finally:
        if progress is not None:
            progress.end()


def describe(job: Job) -> str:
    """One line on how far a job has come."""
    line = f"{job.state}: {job.done} of {job.total}"
    if job.images_per_second:
        line += f", {job.images_per_second:.1f} images/s"
    if job.eta_seconds:
        line += f", about {job.eta_seconds:.0f} s left"
    return line


def summarise(job: Job) -> str:
    """What a job did, and the first files that it could not index."""
    done = f"{job.indexed} indexed, {job.duplicates} already known, {job.failed} failed"
    if job.removed:
        done += f", {job.removed} removed"
    lines = [f"it would be: {done}" if job.dry_run else done]
    lines += [f"  {error.source}: {error.detail}" for error in job.errors[:SHOWN_ERRORS]]
    if job.errors and job.failed > SHOWN_ERRORS:
        lines.append(f"  and {job.failed - SHOWN_ERRORS} more")
    return "\n".join(harmless(line) for line in lines)


def harmless(line: str) -> str:
    """The line without characters that a terminal would obey: file names may hold them."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)
