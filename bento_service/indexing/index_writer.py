"""The writes of the owner: changes into indexes, reindexes, swaps, and the end of old indexes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bento_service.catalogue import Catalogue
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.records import IndexRecord
from bento_service.errors import LookalikeError
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.change_steps import apply_changes, position_after, read_step
from bento_service.indexing.checks import defect
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.open_indexes import MAX_BEHIND, OpenIndexes

TRANSIENT = (LookalikeError, OSError)
"""Milvus or the database is away, the disk is full, a collection was deleted meanwhile."""
_STEPS_PER_TURN = 20
_STEPS_PER_RECORD = 5
"""Steps after which a revision is recorded; a server takes a fifth of a second to show one."""
_FLUSH_AFTER_ROWS, _SERVER_FLUSH_ROWS = 1000, 10_000
_SWEEP_SECONDS = 0.05
"""Seconds between two parts of a large deletion, so that others can write."""
_log = logging.getLogger(__name__)


@dataclass
class IndexWriter:
    """The writer of all indexes, in the thread of replay.

    Attributes:
        swap: See `Replay`.
        may_go_on: Returns false once this replica has to stop writing.
        changes_per_step: Most changes to apply at once.
        orphans_gone: True if Milvus holds no index that the catalogue does not have.
    """

    catalogue: Catalogue
    gallery: Gallery
    opened: OpenIndexes
    swap: IndexSwap | None
    may_go_on: Callable[[], bool]
    changes_per_step: int
    orphans_gone: bool = field(default=False, init=False)
    _unflushed: dict[str, int] = field(default_factory=dict, init=False)  # rows by index

    def forget(self) -> None:
        """Forget the state of the indexes, which another replica may have changed."""
        self.opened.names.clear()
        self._unflushed.clear()
        self.orphans_gone = False
        if self.swap is not None:
            self.swap.forget()

    def bring_up_to_date(self, indexes: Sequence[IndexRecord]) -> bool:
        """Open all indexes, apply new changes, and drop indexes that the catalogue no longer has.

        Returns:
            True if more changes wait.

        Raises:
            LookalikeError, OSError: An index failed; the other ones are up to date.
        """
        failure, has_more = None, False
        for step in (self.opened.open, self._apply):
            for index in indexes:
                try:
                    has_more = step(index) or has_more
                except TRANSIENT as error:  # the other indexes need not wait
                    failure = error
                    # A server that restarts may have released or lost the index: compare it again.
                    self.opened.names.discard(index.name)
        try:
            self._drop_orphans({name for index in indexes for name in index.names})
        except TRANSIENT as error:
            failure = error
        self._cache(indexes)
        if failure is not None:
            raise failure
        return has_more

    def advance(self) -> float | None:
        """Advance reindexes, swaps and deletions.

        Returns:
            Seconds until the next step; `None` if there is nothing to do until something changes.
        """
        pauses = [self._finish_reindexes(), self._swap_indexes()]
        if self.catalogue.retired_indexes.sweep():
            pauses.append(_SWEEP_SECONDS)
        return min((pause for pause in pauses if pause is not None), default=None)

    @property
    def has_unflushed(self) -> bool:
        """True if written rows were not flushed yet."""
        return bool(self._unflushed)

    def flush(self) -> None:
        """Flush the indexes; a server flushes by itself, and would make small segments."""
        due = 1 if self.gallery.is_embedded else _SERVER_FLUSH_ROWS
        for name, rows in list(self._unflushed.items()):
            if rows >= due:
                self.gallery.flush(name)
            del self._unflushed[name]

    def _count_unflushed(self, name: str, rows: int) -> None:
        """Count written rows; flush many of an embedded index, which slow down its searches."""
        if rows:
            self._unflushed[name] = self._unflushed.get(name, 0) + rows
            if self.gallery.is_embedded and self._unflushed[name] >= _FLUSH_AFTER_ROWS:
                self.gallery.flush(name)
                del self._unflushed[name]

    def _apply(self, index: IndexRecord) -> bool:
        """Apply the changes that an open index lacks, or the oldest ones; return if more wait.

        An index that lacks many must not hold up the others. A turn ends only when it has recorded
        a revision, because the next turn begins after that.
        """
        if index not in self.opened:
            return False
        applied, steps, tombstones, is_last = index.applied, 0, 0, False
        position, size = position_after(applied), self.changes_per_step
        while not is_last and self.may_go_on():
            step = read_step(self.catalogue, index.id, position, revision=index.revision, size=size)
            tombstones += apply_changes(self.gallery, index.name, step.changes)
            self._count_unflushed(index.name, len(step.changes))
            position, is_last, steps = step.end, step.is_last, steps + 1
            if step.applied > applied and (is_last or steps % _STEPS_PER_RECORD == 0):
                applied = step.applied
                self._record(index, applied)
                if steps >= _STEPS_PER_TURN:
                    break
        if tombstones:
            self.opened.purge(index)
        return not is_last

    def _record(self, index: IndexRecord, applied: int) -> None:
        """Record that an index has applied a revision: searches rely on the index alone for it."""
        self.gallery.make_visible(index.name)
        if not self.catalogue.indexes.set_applied(index.id, applied):
            self.opened.names.discard(index.name)  # another replica wrote too: compare it again

    def _drop_orphans(self, wanted: set[str]) -> None:
        """Drop the indexes that the catalogue no longer has, also those deleted before a crash."""
        if self.orphans_gone and self.opened.names <= wanted:
            return
        prefix = index_prefix(self.catalogue.collections.instance_id())
        for name in self.gallery.names():
            if name.startswith(prefix) and name not in wanted and self.may_go_on():
                self._drop(name)
        self.orphans_gone = True

    def _cache(self, indexes: Sequence[IndexRecord]) -> None:
        """Let searches find the smaller ones of the serving indexes in memory."""
        if self.gallery.is_milvus_lite:
            count = self.catalogue.images.count
            self.gallery.cache(
                {
                    each.name: each.space.descriptor_bytes * count(each.collection_id)
                    for each in indexes
                    if each.serves
                }
            )

    def _finish_reindexes(self) -> float | None:
        """Let searches use the indexes that are prepared and hold what they should."""
        pause = None
        for index in self.catalogue.reindexes.due():
            if self.catalogue.changes.exceed(MAX_BEHIND, index.id, after=index.applied):
                pause = 0.0  # apply the last results first
            elif problem := defect(self.catalogue, self.gallery, index):
                problem += "; searches go on with the former version, reindex again"
                if self.catalogue.reindexes.fail(index, problem):
                    _log.error("index of %s is not switched to: %s", index.collection, problem)
                    self._drop(index.name)
            elif self.catalogue.reindexes.switch(index):
                _log.info("searches of %s use %s", index.collection, index.space.descriptor)
                pause = 0.0  # drop the index before the former one
        return pause

    def _swap_indexes(self) -> float | None:
        if self.swap is None:
            return None
        switched, pause = self.swap.advance(self.catalogue.indexes.all())
        self.opened.names.update(switched)
        if not switched:
            return pause
        for index in self.catalogue.indexes.all():
            self.opened.purge(index)  # tombstones that the replacement had to apply first
        return 0.0  # drop the indexes that were replaced

    def _drop(self, name: str) -> None:
        self.gallery.drop(name)
        self.opened.names.discard(name)
        self._unflushed.pop(name, None)
