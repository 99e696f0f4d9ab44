"""Changes that the index has not applied yet, and searches that outlive their index."""

from collections.abc import Callable
from typing import TypeVar

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change, IndexRecord
from bento_service.errors import IndexUnavailable

_T = TypeVar("_T")
MAX_LAG = 10_000
"""Most changes that a search compares in addition to the index."""


def pending_changes(
    catalogue: Catalogue, index: IndexRecord, *, max_lag: int = MAX_LAG
) -> list[Change]:
    """Return the changes that an index has not applied; read them before asking the index.

    A change is then in the index, among the pending ones, or in both.

    Raises:
        IndexUnavailable: There are more than `max_lag`.
    """
    if index.applied >= index.revision:  # both are of one state, in which nothing was pending
        return []
    changes = catalogue.changes.page(index.id, after=(index.applied, 2**62), limit=max_lag + 1)
    if len(changes) > max_lag:
        raise IndexUnavailable(
            f"the index of {index.collection!r} is more than {max_lag} changes behind and is "
            "catching up; try again shortly"
        )
    return changes


def retry_after_swap(
    catalogue: Catalogue, index: IndexRecord, ask: Callable[[IndexRecord], _T]
) -> _T:
    """Ask an index, and once more if it was replaced by one of another type meanwhile.

    Raises:
        IndexUnavailable: See `ask`; the index was not replaced.
    """
    try:
        return ask(index)
    except IndexUnavailable:
        present = catalogue.indexes.get(index.id)
        if present is None or present.name == index.name:
            raise
        return ask(present)
