"""Swapping an index for one of another type when its collection's size asks for it.

Milvus cannot change the type of a loaded index. So a replacement is filled from the catalogue while
the index serves, follows its changes, is built, loaded and compared with the catalogue, and then
takes its place in one transaction of the catalogue. The catalogue records how far that is, so it
continues after a crash, and replay drops what is no longer needed.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field, replace

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord, Replacement
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule, IndexType
from bento_service.indexing.change_steps import (
    CHANGES_PER_STEP,
    Position,
    apply_changes,
    position_after,
    read_step,
)
from bento_service.indexing.checks import defect

_log = logging.getLogger(__name__)


@dataclass
class IndexSwap:
    """The planned and running swaps, in the thread that writes to the indexes.

    Attributes:
        rule: The index type that each collection should have.
        changes_per_step: Most changes to apply at once.
        steps_per_turn: Steps in which a replacement is filled before replay has its turn again.
        building_seconds: Seconds between two looks at an index that is being built.
        retry_seconds: Seconds until another try after a replacement had a defect.
    """

    catalogue: Catalogue
    gallery: Gallery
    rule: IndexRule
    _: KW_ONLY
    changes_per_step: int = CHANGES_PER_STEP
    steps_per_turn: int = 10
    building_seconds: float = 1.0
    retry_seconds: float = 3600.0
    _positions: dict[str, Position] = field(default_factory=dict, init=False)
    _not_before: dict[int, float] = field(default_factory=dict, init=False)
    _warned: set[int] = field(default_factory=set, init=False)
    _planned_at: dict[int, int] = field(default_factory=dict, init=False)

    def forget(self) -> None:
        """Forget how far the swaps are, because another replica may have advanced them."""
        self._positions.clear()
        self._planned_at.clear()

    def advance(self, indexes: Iterable[IndexRecord]) -> tuple[list[str], float | None]:
        """Advance every swap a little, given all indexes, up to date with the catalogue.

        Returns:
            Names of indexes that searches use from now on, and after how many seconds to call this
            again; `None` if there is nothing to do until something changes.
        """
        switched, due = [], []
        for index in indexes:
            if not index.serves:
                continue
            self._plan(index)
            present = self.catalogue.indexes.get(index.id)
            if present is None or present.replacement is None:
                continue
            seconds = self._advance(present, present.replacement)
            if seconds is None:
                switched.append(present.replacement.name)
            else:
                due.append(seconds)
        return switched, min(due, default=None)

    def _plan(self, index: IndexRecord) -> None:
        """Begin a swap or give one up, as the collection's size asks for."""
        if index.replacement is None and not self._may_plan(index):
            return
        self._planned_at[index.id] = index.revision
        images = self.catalogue.images.count(index.collection_id)
        self._warn_if_overgrown(index, images)
        present = self.gallery.kind(index.name)
        wanted = self.rule.wanted(present, images)
        if index.replacement is not None:
            if index.replacement.kind == wanted:
                return
            self._give_up(index, index.replacement)
        if wanted is present:
            return
        _log.info(
            "collection %s holds %d images: a %s index is built to replace the present one",
            index.collection,
            images,
            wanted,
        )
        self.catalogue.replacements.begin(index, wanted)

    def _may_plan(self, index: IndexRecord) -> bool:
        """Return true if the collection has changed, or a failed swap may be tried again."""
        is_new = self._planned_at.get(index.id) != index.revision
        return is_new and self._not_before.get(index.id, 0.0) <= time.monotonic()

    def _warn_if_overgrown(self, index: IndexRecord, images: int) -> None:
        if self.rule.is_overgrown(images) and index.collection_id not in self._warned:
            self._warned.add(index.collection_id)
            _log.warning(
                "collection %s holds %d images; %s (LOOKALIKE_MILVUS_URI), since here the time of "
                "every search grows with the number of images; the index is filled from the "
                "catalogue by itself",
                index.collection,
                images,
                self.rule.advice,
            )

    def _give_up(self, index: IndexRecord, replacement: Replacement) -> None:
        self.catalogue.replacements.give_up(index)
        self._positions.pop(replacement.name, None)
        self.gallery.drop(replacement.name)

    def _advance(self, index: IndexRecord, replacement: Replacement) -> float | None:
        """Advance a swap; return the seconds until the next step, `None` after the last."""
        if self.gallery.prepare(replacement.name, index.space.dimension):
            replacement = replace(replacement, applied=0)
            self._positions.pop(replacement.name, None)
            self.catalogue.replacements.restart(replacement)
        if not self._fill(index, replacement):
            return 0.0
        kind = IndexType(replacement.kind)
        if not self.gallery.build(replacement.name, kind):
            return self.building_seconds
        present = self.catalogue.indexes.get(index.id)
        if present is None or present.replacement is None:
            return self.building_seconds
        swapped = replace(
            present, name=present.replacement.name, applied=present.replacement.applied
        )
        if problem := defect(self.catalogue, self.gallery, swapped):
            _log.error(
                "the index of %s is not replaced: %s; searches go on with the present one, and "
                "another is built in %.0f minutes",
                index.collection,
                problem,
                self.retry_seconds / 60,
            )
            self._not_before[index.id] = time.monotonic() + self.retry_seconds
            self._planned_at.pop(index.id, None)  # an unchanged collection is planned again too
            self._give_up(present, present.replacement)
            return self.retry_seconds
        if not self.catalogue.replacements.switch(present, present.replacement):
            return self.building_seconds
        self._positions.pop(replacement.name, None)
        _log.info("searches of %s use %s", index.collection, kind)
        return None

    def _fill(self, index: IndexRecord, replacement: Replacement) -> bool:
        """Apply some changes; return whether no more are left at present."""
        position = self._positions.get(replacement.name, position_after(replacement.applied))
        for _ in range(self.steps_per_turn):
            step = read_step(
                self.catalogue,
                index.id,
                position,
                revision=index.revision,
                size=self.changes_per_step,
            )
            apply_changes(self.gallery, replacement.name, step.changes)
            if step.is_last and step.changes:
                self.gallery.flush(replacement.name)
            if step.applied > replacement.applied:
                self.catalogue.replacements.set_applied(replacement, step.applied)
            position = self._positions[replacement.name] = step.end
            if step.is_last:
                return True
        return False
