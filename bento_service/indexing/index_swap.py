"""Gives each collection the kind of index that its size asks for, while searches go on.

What Milvus has loaded cannot change its kind. So another index is filled from the catalogue beside
it, follows the changes, is built, loaded and compared with the catalogue, and then takes the place
of the first in one transaction of the catalogue. Where that stands is in the catalogue too: after a
crash it goes on, and what is no more needed in Milvus is dropped.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change, IndexRecord, Successor
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule, IndexType
from bento_service.indexing.checks import defect

_log = logging.getLogger(__name__)
_CHANGES_A_STEP = 1000
_STEPS_A_TURN = 10
_MAX_BEHIND = 1000
_LAST_ID = 2**62
_BUILDING_SECONDS = 1.0
_AGAIN_AFTER_SECONDS = 3600.0


class Succession:
    """Takes one step at a time, in the thread that writes to Milvus."""

    def __init__(self, catalogue: Catalogue, gallery: Gallery, rule: IndexRule) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._rule = rule
        self._positions: dict[str, tuple[int, int]] = {}
        self._not_before: dict[int, float] = {}
        self._told: set[int] = set()
        self._looked_at: dict[int, int] = {}

    def step(self, indexes: Iterable[IndexRecord]) -> tuple[list[str], float | None]:
        """Bring every exchange a little further.

        Args:
            indexes: All that there are, up to date with the catalogue.

        Returns:
            Names of indexes that searches use from here on, and after how many seconds the next
            step is due; `None` where there is nothing to do until something changes.

        Raises:
            IndexUnavailable: Milvus does not answer.
        """
        switched, due = [], []
        for index in indexes:
            if not index.serves:
                continue
            self._wish(index)
            present = self._catalogue.indexes.get(index.id)
            if present is None or present.successor is None:
                continue
            seconds = self._further(present, present.successor)
            if seconds is None:
                switched.append(present.successor.name)
            else:
                due.append(seconds)
        return switched, min(due, default=None)

    def _wish(self, index: IndexRecord) -> None:
        """Begin an exchange, or give one up, by what the collection's size asks for."""
        if index.successor is None and self._looked_at.get(index.id) == index.revision:
            return
        self._looked_at[index.id] = index.revision
        images = self._catalogue.images.count(index.collection_id)
        self._tell(index, images)
        present = self._gallery.kind(index.name)
        wanted = self._rule.wanted(present, images)
        if index.successor is not None and index.successor.kind != wanted:
            self._give_up(index, index.successor)
        elif index.successor is not None:
            return
        if wanted is present or self._not_before.get(index.id, 0.0) > time.monotonic():
            return
        _log.info(
            "collection %s holds %d images: its index is built anew as %s, beside the one that "
            "searches use",
            index.collection,
            images,
            wanted,
        )
        self._catalogue.successors.begin(index, wanted)

    def _tell(self, index: IndexRecord, images: int) -> None:
        if self._rule.is_overgrown(images) and index.collection_id not in self._told:
            self._told.add(index.collection_id)
            _log.warning(
                "collection %s holds %d images; %s (LOOKALIKE_MILVUS_URI), since here every search "
                "costs as much as there are images; the index is filled from the catalogue by "
                "itself",
                index.collection,
                images,
                self._rule.advice,
            )

    def _give_up(self, index: IndexRecord, successor: Successor) -> None:
        self._catalogue.successors.give_up(index)
        self._positions.pop(successor.name, None)
        self._gallery.drop(successor.name)

    def _further(self, index: IndexRecord, successor: Successor) -> float | None:
        """One step; in how many seconds the next is due, `None` after the last."""
        if self._gallery.prepare(successor.name, index.space.dimension):
            successor = replace(successor, applied=0)
            self._positions.pop(successor.name, None)
            self._catalogue.successors.set_applied(successor, 0)
        if not self._follow(index, successor):
            return 0.0
        kind = IndexType(successor.kind)
        if not self._gallery.build(successor.name, kind):
            return _BUILDING_SECONDS
        present = self._catalogue.indexes.get(index.id)
        if present is None or present.successor is None:
            return _BUILDING_SECONDS
        as_it_will_be = replace(
            present, name=present.successor.name, applied=present.successor.applied
        )
        if problem := defect(self._catalogue, self._gallery, as_it_will_be):
            _log.error("the index of %s is not exchanged: %s", index.collection, problem)
            self._not_before[index.id] = time.monotonic() + _AGAIN_AFTER_SECONDS
            self._give_up(present, present.successor)
            return _AGAIN_AFTER_SECONDS
        if not self._catalogue.successors.switch(present, present.successor):
            return _BUILDING_SECONDS
        self._positions.pop(successor.name, None)
        _log.info("searches of %s use %s", index.collection, kind)
        return None

    def _follow(self, index: IndexRecord, successor: Successor) -> bool:
        """Apply some changes; whether so few are left that searches can compare them beside it."""
        start = (successor.applied, _LAST_ID)
        position = max(start, self._positions.get(successor.name, start))
        for _ in range(_STEPS_A_TURN):
            changes = self._catalogue.changes.page(index.id, after=position, limit=_CHANGES_A_STEP)
            applied_to(self._gallery, successor.name, changes)
            if len(changes) < _CHANGES_A_STEP:
                # All that was committed when the index was read is applied.
                applied = max(index.revision, position[0], *(c.revision for c in changes))
                self._advance(successor, applied, flushing=bool(changes))
                return True
            position = (changes[-1].revision, changes[-1].image_id)
            self._positions[successor.name] = position
            # Its last revision may go on in the next step.
            self._advance(successor, position[0] - 1, flushing=False)
        return False

    def _advance(self, successor: Successor, applied: int, *, flushing: bool) -> None:
        if flushing:
            self._gallery.flush(successor.name)
        if applied > successor.applied:
            self._catalogue.successors.set_applied(successor, applied)


def applied_to(gallery: Gallery, name: str, changes: Sequence[Change]) -> int:
    """Write changes into an index; how many of them were tombstones."""
    living = [change for change in changes if not change.deleted]
    buried = [change.image_id for change in changes if change.deleted]
    if living:
        gallery.upsert(name, [one.image_id for one in living], [one.descriptor for one in living])
    if buried:
        gallery.delete(name, buried)
    return len(buried)
