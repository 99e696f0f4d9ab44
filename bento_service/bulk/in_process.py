"""A bulk run in one process, one file of the plan after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from bento_service.bulk.steps import Counts, Step


class Runner(Protocol):
    """The processes that do the steps of a run."""

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number, and yield its counts; `describes` if it needs a model."""


class InProcess:
    """A runner without other processes than the decoders; see `Runner`."""

    def run(
        self, step: Callable[[], Step], numbers: Sequence[int], *, describes: bool
    ) -> Iterator[Counts]:
        """Do a step for each number."""
        with closing(step()) as opened:
            yield from map(opened, numbers)
