"""Progress on standard error, so that standard output holds the answer alone."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

_REDRAW_SECONDS = 0.1
_LOG_LINE_SECONDS = 10.0


@contextmanager
def stage(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
    """A bar for one part of a command; call what it gives with how much was done since.

    Args:
        what: The part's name.
        total: How much there is to do, if that is known.
        unit: What is counted; bytes (`B`) are shown with prefixes.
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
