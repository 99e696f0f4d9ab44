"""Blocks of assertions that continue after a failure."""

from collections.abc import Callable
from contextlib import AbstractContextManager


class Soft(AbstractContextManager[None]):
    """A block of soft assertions; a class, so that it adds no frame to tracebacks.

    `begin` returns true for the outermost of nested blocks, which calls `end` with its error.
    """

    def __init__(
        self, begin: Callable[[], bool], end: Callable[[BaseException | None], None]
    ) -> None:
        self._begin, self._end = begin, end
        self._is_outermost = False

    def __enter__(self) -> None:
        self._is_outermost = self._begin()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        __tracebackhide__ = True
        if self._is_outermost:
            self._end(error)
