"""A bulk run in one process, one file of the plan after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pyarrow.dataset as ds

from bento_service.bulk.steps import Counts, Step

_ROWS_AT_ONCE = 50_000


class Runner(Protocol):
    """The processes that do the steps of a run."""

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number, and yield its counts; `describes` if it needs a model."""

    def ordered(self, files: Sequence[Path]) -> Iterator[Any]:
        """Yield the rows of all these files as tables, ordered by `sha256`."""


class InProcess:
    """A runner without other processes than the decoders; see `Runner`."""

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number."""
        with closing(step()) as opened:
            yield from map(opened, numbers)

    def ordered(self, files: Sequence[Path]) -> Iterator[Any]:
        """Sort the rows in memory."""
        table = ds.dataset([str(file) for file in files]).to_table().sort_by("sha256")
        for at in range(0, table.num_rows, _ROWS_AT_ONCE):
            yield table.slice(at, _ROWS_AT_ONCE)
