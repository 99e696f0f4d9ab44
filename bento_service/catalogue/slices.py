"""Parts of a list that fit into one statement."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_A_STATEMENT = 500
_T = TypeVar("_T")


def slices(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """The values in their order, some at a time; nothing where there are none."""
    return (values[at : at + _A_STATEMENT] for at in range(0, len(values), _A_STATEMENT))
