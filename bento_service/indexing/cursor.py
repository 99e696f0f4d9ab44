"""A cursor over the changes of an index, in the order of their revisions."""

from collections.abc import Sequence
from dataclasses import dataclass

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change
from bento_service.gallery.gallery import Gallery

CHANGES_PER_STEP = 1000
_LAST_ID = 2**62


@dataclass(frozen=True)
class Step:
    """Some changes of an index.

    Attributes:
        applied: The revision up to which all changes are in this step or before it.
        is_last: True if there are no more changes at present.
        end: Revision and image id where the next step starts.
    """

    changes: list[Change]
    applied: int
    is_last: bool
    end: tuple[int, int]


class ChangeCursor:
    """A place in the changes of an index, after those up to the revision `applied`.

    It moves only when a step was handled.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        index_id: int,
        *,
        applied: int = -1,
        changes_per_step: int = CHANGES_PER_STEP,
    ) -> None:
        self._changes = catalogue.changes
        self._index_id = index_id
        self._position = (applied, _LAST_ID)
        self._size = changes_per_step

    def read(self, revision: int = 0) -> Step:
        """Read the next step; `revision` is that of the collection, read before."""
        changes = self._changes.page(self._index_id, after=self._position, limit=self._size)
        if len(changes) < self._size:
            # All that was committed up to `revision` is in here; later changes have a new one.
            applied = max(revision, self._position[0], *(change.revision for change in changes))
            return Step(changes, applied, is_last=True, end=(applied, _LAST_ID))
        last = changes[-1]
        # The next step may have more changes of the last revision.
        end = (last.revision, last.image_id)
        return Step(changes, last.revision - 1, is_last=False, end=end)

    def move_past(self, step: Step) -> None:
        """Move to the end of a step, so that the next one can be read."""
        self._position = step.end


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
