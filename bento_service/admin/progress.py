"""Progress bars on standard error, so that standard output has only the answer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

_REDRAW_SECONDS = 0.1
_LOG_LINE_SECONDS = 10.0


@contextmanager
def stage(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """Show a bar for one stage of a command, and yield the function that advances it.

    Args:
        what: The stage's name.
        total: The number of units, if known.
        unit: The unit; bytes (`B`) are shown with prefixes.
    """
    with tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=unit == "B",
        unit_divisor=1024,
        file=sys.stderr,
        mininterval=_REDRAW_SECONDS if sys.stderr.isatty() else _LOG_LINE_SECONDS,
    ) as bar:
        yield bar.update
