"""Progress bars on standard error, so that standard output has only the answer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

_REDRAW_SECONDS = 0.1
_LOG_LINE_SECONDS = 10.0


@contextmanager
def stage(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Show a bar for one stage of a command, and yield the function that advances it.

    The total is `None` if it is not known.
    """
    is_terminal = sys.stderr.isatty()
    with tqdm(
        total=total,
        desc=what,
        unit=unit,
        file=sys.stderr if is_terminal else _Lines(sys.stderr),
        ascii=None if is_terminal else True,
        mininterval=_REDRAW_SECONDS if is_terminal else _LOG_LINE_SECONDS,
    ) as bar:
        yield bar.update


class _Lines:
    """A log that gets each state of a bar as a line of its own, without control characters."""

    def __init__(self, log: TextIO) -> None:
        self._log = log

    def write(self, text: str) -> None:
        """Write a state of the bar; the line break at its end is not another one."""
        if state := text.strip():
            self._log.write(f"{state}\n")

    def flush(self) -> None:
        """Flush the log."""
        self._log.flush()
