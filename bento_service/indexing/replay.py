"""Replay: a thread that applies the catalogue's changes to the indexes.

Every change of an image has a revision; `applied` of an index is the revision up to which it holds
all changes. Later changes are applied in order, and each can be applied twice, so a crash at any
point heals at the next start. While Milvus is away the catalogue goes on, and replay catches up.

Of several replicas, only the owner changes indexes; the others check that searches are answered.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from bento_service.catalogue import Catalogue
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.records import IndexRecord
from bento_service.errors import IndexUnavailable, LookalikeError
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.change_wait import ChangeWait
from bento_service.indexing.checks import defect
from bento_service.indexing.cursor import CHANGES_PER_STEP, ChangeCursor, apply_changes
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.open_indexes import MAX_BEHIND, OpenIndexes
from bento_service.indexing.unflushed_rows import UnflushedRows

_log = logging.getLogger(__name__)
GATHER_SECONDS = 0.5
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
PROBE_SECONDS = 5.0
_STEPS_PER_TURN = 20
_STEPS_PER_RECORD = 5
"""Steps after which a revision is recorded; a server takes a fifth of a second to show one."""
FLUSH_SECONDS = 1.0
_SWEEP_SECONDS = 0.05
"""Seconds between two parts of a large deletion, so that others can write."""
_CLOSE_SECONDS = 30.0
_TRANSIENT = (LookalikeError, OSError)
"""Milvus or the database is away, the disk is full, a collection was deleted meanwhile."""


class Replay:
    """A thread that follows the catalogue. Start it with `with`.

    Args:
        on_purged: Called with the digests of uploads whose last image may be gone.
        swap: Swaps indexes for others of another type; index types stay as they are if `None`.
        is_owner: Returns whether this replica changes the indexes.
        gather_seconds: Seconds for which changes are gathered, so that writes are fewer.
        flush_seconds: Seconds without changes after which written rows are flushed.
        retry_seconds: Seconds after the first and further failures; the last one is repeated.
        probe_seconds: Seconds between two probes of an idle Milvus server.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        *,
        on_purged: Callable[[set[str]], None],
        swap: IndexSwap | None = None,
        is_owner: Callable[[], bool] = lambda: True,
        changes_per_step: int = CHANGES_PER_STEP,
        gather_seconds: float = GATHER_SECONDS,
        flush_seconds: float = FLUSH_SECONDS,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._swap = swap
        self._is_owner = is_owner
        self._changes_per_step = changes_per_step
        self._gather_seconds = gather_seconds
        self._flush_seconds = flush_seconds
        self._retry_seconds = retry_seconds
        self._probe_seconds = probe_seconds
        self._changes = ChangeWait(catalogue, is_owner)
        self._stopping = threading.Event()
        self._owned = False
        self._open = OpenIndexes(catalogue, gallery, on_purged)
        self._unflushed = UnflushedRows(gallery)
        self._orphans_gone = False
        self._has_more = False
        self.was_ready = False
        """True if searches have been answered since the start; see `OpenIndexes.serve`."""
        self._probes = 0
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._changes.wake()
        self._thread.join(_CLOSE_SECONDS)

    def wake(self) -> None:
        """Make the thread look for changes now."""
        self._changes.wake()

    @property
    def alive(self) -> bool:
        """True if the thread runs; a defect that ends it is in the log."""
        return self._thread.is_alive()

    def is_open(self, index: IndexRecord) -> bool:
        """Return true if an index was opened and no search of it failed since."""
        return index in self._open

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                if self._has_ownership():
                    self._follow()
                else:
                    self._observe()
                failures = 0
            except _TRANSIENT as error:
                _log.warning("replay waits: %s", error)
                self._orphans_gone = False  # an index that was given up half made may be one
                pause = self._retry_seconds[min(failures, len(self._retry_seconds) - 1)]
                failures += 1
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        try:
            if self._is_owner():
                self._unflushed.flush()
        except IndexUnavailable:
            _log.warning("the index was not flushed; the next start does that")

    def _has_ownership(self) -> bool:
        """Return true if this replica changes the indexes; forget their state if that is new."""
        owns = self._is_owner()
        if owns != self._owned:
            self._owned = owns
            self._open.clear()
            self._unflushed.clear()
            self._orphans_gone = False
            if self._swap is not None:
                self._swap.forget()
        return owns

    def _observe(self) -> None:
        """Check that searches of the indexes are answered, then wait for changes."""
        self._changes.begin()
        self._open.discard(self._gallery.take_suspects())
        indexes, failure = self._catalogue.indexes.all(), None
        for index in indexes:
            try:
                self._open.observe(index)
            except IndexUnavailable as error:
                failure = error
        self._note_readiness()
        if failure is not None:
            raise failure
        if not self._changes.wait(self._probe_seconds) and indexes:
            self._probe_next(indexes)

    def _note_readiness(self) -> None:
        if not self.was_ready:
            self.was_ready = self._open.serve(self._catalogue.collections.all())

    def _follow(self) -> None:
        """Apply new changes, then wait for more; flush at the end of a burst."""
        self._changes.begin()
        self._open.discard(self._gallery.take_suspects())
        indexes = self._catalogue.indexes.all()
        failure, self._has_more = None, False
        for step in (self._open.open, self._apply):
            for index in indexes:
                try:
                    step(index)
                except _TRANSIENT as error:  # the other indexes need not wait
                    failure = error
                    # A server that restarts may have released or lost the index: compare it again.
                    self._open.discard({index.name})
        self._note_readiness()
        try:
            self._drop_orphans({name for index in indexes for name in index.names})
        except _TRANSIENT as error:
            failure = error
        self._cache(indexes)
        if failure is not None:
            raise failure
        if self._has_more or not self._may_go_on():
            return
        self._finish_reindexes()
        pause = self._swap_indexes()
        if self._catalogue.retired_indexes.sweep():
            pause = _SWEEP_SECONDS if pause is None else min(pause, _SWEEP_SECONDS)
        self._wait_for_changes(indexes, pause)

    def _cache(self, indexes: Iterable[IndexRecord]) -> None:
        """Let searches find the smaller ones of the serving indexes in memory."""
        if self._gallery.is_milvus_lite:
            count = self._catalogue.images.count
            self._gallery.cache(
                {
                    each.name: each.space.descriptor_bytes * count(each.collection_id)
                    for each in indexes
                    if each.serves
                }
            )

    def _wait_for_changes(self, indexes: list[IndexRecord], pause: float | None) -> None:
        """Wait until something has changed, or for `pause` seconds if there is more to do."""
        if pause is not None and pause < self._flush_seconds:
            self._stopping.wait(pause)
            return
        idle = pause
        if not self._gallery.is_embedded:
            idle = min(pause or self._probe_seconds, self._probe_seconds)
        if self._changes.wait(self._flush_seconds if self._unflushed else idle):
            self._stopping.wait(self._gather_seconds)
        elif self._unflushed:
            self._unflushed.flush()
        elif indexes:
            self._probe_next(indexes)

    def _probe_next(self, indexes: list[IndexRecord]) -> None:
        """Notice before a caller does that a server went away or lost an index."""
        index = indexes[self._probes % len(indexes)]
        try:
            self._open.probe(index)
        except IndexUnavailable:
            self._open.clear()
            raise
        self._probes += 1

    def _finish_reindexes(self) -> None:
        """Let searches use the indexes that are prepared and hold what they should."""
        for index in self._catalogue.reindexes.due():
            if self._catalogue.changes.exceed(MAX_BEHIND, index.id, after=index.applied):
                self._changes.wake()  # apply the last results first
            elif problem := defect(self._catalogue, self._gallery, index):
                if self._catalogue.reindexes.fail(index, problem):
                    _log.error("index of %s is not switched to: %s", index.collection, problem)
                    self._drop(index.name)
            elif self._catalogue.reindexes.switch(index):
                _log.info("searches of %s use %s", index.collection, index.space.descriptor)
                self._changes.wake()  # to drop the index before the former one

    def _swap_indexes(self) -> float | None:
        """Advance swaps of indexes; return in how many seconds to do so again."""
        if self._swap is None:
            return None
        switched, seconds = self._swap.advance(self._catalogue.indexes.all())
        self._open.add(switched)
        if not switched:
            return seconds
        for index in self._catalogue.indexes.all():
            self._open.purge(index)  # tombstones that the replacement had to apply first
        return 0.0  # to drop the indexes that were replaced

    def _may_go_on(self) -> bool:
        return not self._stopping.is_set() and self._is_owner()

    def _apply(self, index: IndexRecord) -> None:
        """Apply the changes that an open index lacks, or the oldest ones and note that more wait.

        An index that lacks many must not hold up the others. A turn ends only when it has recorded
        a revision, because the next turn begins after that.
        """
        if index not in self._open:
            return
        start, size = index.applied, self._changes_per_step
        cursor = ChangeCursor(self._catalogue, index.id, applied=start, changes_per_step=size)
        applied, steps, tombstones, is_last = index.applied, 0, 0, False
        while not is_last and self._may_go_on():
            step = cursor.read(index.revision)
            tombstones += apply_changes(self._gallery, index.name, step.changes)
            if step.changes:
                self._unflushed.add(index.name, len(step.changes))
            cursor.move_past(step)
            is_last, steps = step.is_last, steps + 1
            if step.applied > applied and (is_last or steps % _STEPS_PER_RECORD == 0):
                applied = step.applied
                self._record(index, applied)
                if steps >= _STEPS_PER_TURN and not is_last:
                    self._has_more = True
                    break
        if tombstones:
            self._open.purge(index)

    def _record(self, index: IndexRecord, applied: int) -> None:
        """Record that an index has applied a revision: searches rely on the index alone for it."""
        self._gallery.make_visible(index.name)
        if not self._catalogue.indexes.set_applied(index.id, applied):
            self._open.discard({index.name})  # another replica wrote too: compare it again

    def _drop_orphans(self, wanted: set[str]) -> None:
        """Drop the indexes that the catalogue no longer has, also those deleted before a crash."""
        if self._orphans_gone and self._open.are_among(wanted):
            return
        prefix = index_prefix(self._catalogue.collections.instance_id())
        for name in self._gallery.names():
            if name.startswith(prefix) and name not in wanted and self._is_owner():
                self._drop(name)
        self._orphans_gone = True

    def _drop(self, name: str) -> None:
        self._gallery.drop(name)
        self._open.discard({name})
        self._unflushed.forget(name)
