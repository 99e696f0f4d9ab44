"""Steps through the changes of an index, in the order of their revisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change
from bento_service.gallery.gallery import Gallery

CHANGES_PER_STEP = 1000
Position = tuple[int, int]
"""The revision and the image id of a change, after which the next step starts."""
_LAST_ID = 2**62


@dataclass(frozen=True)
class Step:
    """Some changes of an index.

    Attributes:
        applied: The revision up to which all changes are in this step or before it.
        is_last: True if there are no more changes at present.
        end: The position of the next step.
    """

    changes: list[Change]
    applied: int
    is_last: bool
    end: Position


def position_after(revision: int) -> Position:
    """Return the position behind all changes of a revision."""
    return (revision, _LAST_ID)


def read_step(
    catalogue: Catalogue,
    index_id: int,
    position: Position,
    *,
    revision: int = 0,
    size: int = CHANGES_PER_STEP,
) -> Step:
    """Read up to `size` changes; `revision` is that of the collection, read before."""
    changes = catalogue.changes.page(index_id, after=position, limit=size)
    if len(changes) < size:
        # All that was committed up to `revision` is in here; later changes have a new one.
        applied = max(revision, position[0], *(change.revision for change in changes))
        return Step(changes, applied, is_last=True, end=position_after(applied))
    last = changes[-1]
    # The next step may have more changes of the last revision.
    return Step(changes, last.revision - 1, is_last=False, end=(last.revision, last.image_id))


def apply_changes(gallery: Gallery, name: str, changes: Sequence[Change]) -> int:
    """Write changes into an index; return how many of them are tombstones."""
    living = [change for change in changes if not change.deleted]
    deleted = [change.image_id for change in changes if change.deleted]
    if living:
        image_ids = [change.image_id for change in living]
        gallery.upsert(name, image_ids, [change.descriptor for change in living])
    if deleted:
        gallery.delete(name, deleted)
    return len(deleted)
