"""Replay: a thread that applies the catalogue's changes to the indexes.

Every change of an image has a revision; `applied` of an index is the revision up to which it holds
all changes. Later changes are applied in order, and each can be applied twice, so a crash at any
point heals at the next start. While Milvus is away the catalogue goes on, and replay catches up.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from bento_service.catalogue import Catalogue
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.records import IndexRecord
from bento_service.errors import IndexUnavailable, LookalikeError
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.checks import compare_rows, count_corrupt_rows, defect
from bento_service.indexing.cursor import CHANGES_PER_STEP, ChangeCursor, Step, apply_changes
from bento_service.indexing.index_swap import IndexSwap

_log = logging.getLogger(__name__)
MAX_BEHIND = 1000
"""Most changes that an index may lack when it begins to serve."""
GATHER_SECONDS = 0.5
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
PROBE_SECONDS = 5.0
_FLUSH_AFTER_ROWS = 1000
FLUSH_SECONDS = 1.0
_SERVER_FLUSH_ROWS = 10_000
_SWEEP_SECONDS = 0.05
"""Seconds between two parts of a large deletion, so that others can write."""
_CLOSE_SECONDS = 30.0
# Milvus or the database is away, the disk is full, a collection was deleted meanwhile: all of it
# passes.
_TRANSIENT = (LookalikeError, OSError)


class Replay:
    """A thread that follows the catalogue. Start it with `with`.

    Args:
        on_purged: Called with the digests of uploads whose last image may be gone.
        swap: Swaps indexes for others of another type; index types stay as they are if `None`.
        changes_per_step: Most changes to apply at once.
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
        changes_per_step: int = CHANGES_PER_STEP,
        gather_seconds: float = GATHER_SECONDS,
        flush_seconds: float = FLUSH_SECONDS,
        retry_seconds: Sequence[float] = RETRY_SECONDS,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._on_purged = on_purged
        self._swap = swap
        self._changes_per_step = changes_per_step
        self._gather_seconds = gather_seconds
        self._flush_seconds = flush_seconds
        self._retry_seconds = retry_seconds
        self._probe_seconds = probe_seconds
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._opened: set[str] = set()
        self._unflushed: dict[str, int] = {}
        self._orphans_gone = False
        self._was_ready = False
        self._probes = 0
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join(_CLOSE_SECONDS)

    def wake(self) -> None:
        """Make the thread look for changes now."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        """True if the thread runs; a defect that ends it is in the log."""
        return self._thread.is_alive()

    @property
    def was_ready(self) -> bool:
        """True if the indexes of all collections have been open at the same time."""
        return self._was_ready

    def is_open(self, index: IndexRecord) -> bool:
        """Return whether an index was opened and compared, and no search of it failed since."""
        return index.name in self._opened

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._follow()
                failures = 0
            except _TRANSIENT as error:
                _log.warning("replay waits: %s", error)
                self._orphans_gone = False  # an index that was given up half made may be one
                pause = self._retry_seconds[min(failures, len(self._retry_seconds) - 1)]
                failures += 1
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        try:
            self._flush()
        except IndexUnavailable:
            _log.warning("the index was not flushed; the next start does that")

    def _follow(self) -> None:
        """Apply new changes, then wait for more; flush at the end of a burst."""
        self._wake.clear()
        self._opened -= self._gallery.take_suspects()
        indexes = self._catalogue.indexes.all()
        failure = None
        for index in indexes:
            try:
                self._open(index)
                self._apply(index)
            except _TRANSIENT as error:  # the other indexes need not wait
                failure = error
                # A server that restarts may have released or lost the index: compare it again.
                self._opened.discard(index.name)
        if not self._was_ready:
            serving = [collection.index for collection in self._catalogue.collections.all()]
            self._was_ready = all(map(self.is_open, serving))
        try:
            self._drop_orphans({name for index in indexes for name in index.names})
        except _TRANSIENT as error:
            failure = error
        if failure is not None:
            raise failure
        if self._stopping.is_set():
            return
        self._finish_reindexes()
        pause = self._swap_indexes()
        if self._catalogue.retired_indexes.sweep():
            pause = _SWEEP_SECONDS if pause is None else min(pause, _SWEEP_SECONDS)
        self._wait_for_changes(indexes, pause)

    def _wait_for_changes(self, indexes: list[IndexRecord], pause: float | None) -> None:
        """Wait until something has changed, or for `pause` seconds if there is more to do."""
        if pause is not None and pause < self._flush_seconds:
            self._stopping.wait(pause)
            self._wake.set()
            return
        idle = pause
        if not self._gallery.is_embedded:
            idle = min(pause or self._probe_seconds, self._probe_seconds)
        if self._wake.wait(self._flush_seconds if self._unflushed else idle):
            self._stopping.wait(self._gather_seconds)
        elif self._unflushed:
            self._flush()
        elif indexes:
            self._probe_next(indexes)

    def _probe_next(self, indexes: list[IndexRecord]) -> None:
        """Notice before a caller does that a server went away or lost an index."""
        index = indexes[self._probes % len(indexes)]
        try:
            self._probe(index)
        except IndexUnavailable:
            self._opened.clear()
            raise
        self._probes += 1

    def _finish_reindexes(self) -> None:
        """Let searches use the indexes that are prepared and hold what they should."""
        for index in self._catalogue.reindexes.due():
            if len(self._catalogue.changes.changed_ids(index.id, after=index.applied)) > MAX_BEHIND:
                self._wake.set()  # apply the last results first
            elif problem := defect(self._catalogue, self._gallery, index):
                _log.error("index of %s is not switched to: %s", index.collection, problem)
                self._catalogue.reindexes.fail(index, problem)
                self._drop(index.name)
            elif self._catalogue.reindexes.switch(index):
                _log.info("searches of %s use %s", index.collection, index.space.descriptor)
                self._wake.set()  # to drop the index before the former one

    def _swap_indexes(self) -> float | None:
        """Advance swaps of indexes; return in how many seconds to do so again."""
        if self._swap is None:
            return None
        switched, seconds = self._swap.advance(self._catalogue.indexes.all())
        self._opened.update(switched)
        if not switched:
            return seconds
        for index in self._catalogue.indexes.all():
            self._purge(index)  # tombstones that the replacement had to apply first
        return 0.0  # to drop the indexes that were replaced

    def _open(self, index: IndexRecord) -> None:
        """Open an index, if that was not done, and make it equal to the catalogue."""
        if self.is_open(index):
            return
        try:
            self._open_and_compare(index)
        except IndexUnavailable as error:
            if not self._gallery.is_embedded:  # a server is away more often than damaged
                raise
            _log.warning("index of %s is damaged (%s); rebuilding it", index.collection, error)
            self._gallery.drop(index.name)
            self._open_and_compare(index)

    def _open_and_compare(self, index: IndexRecord) -> None:
        self._gallery.open(index.name, index.space.dimension)
        compared = compare_rows(self._catalogue, self._gallery, index)
        if compared.unknown:
            unknown = sorted(compared.unknown)
            _log.warning("index of %s has %d unknown rows", index.collection, len(unknown))
            self._gallery.delete(index.name, unknown)
        if compared.missing:
            _log.warning("index of %s lacks %d rows", index.collection, len(compared.missing))
            self._catalogue.changes.touch(index, compared.missing)
        self._purge(index)
        self._probe(index)
        if self._gallery.is_milvus_lite and (
            wrong := count_corrupt_rows(self._catalogue, self._gallery, index)
        ):
            raise IndexUnavailable(f"{wrong} rows are not what was written")
        self._opened.add(index.name)

    def _probe(self, index: IndexRecord) -> None:
        # A server lists its indexes long before it can search them, so only a search is proof.
        probe = np.zeros(index.space.dimension, np.float32)
        self._gallery.search(index.name, probe, top_k=1)

    def _apply(self, index: IndexRecord) -> None:
        """Apply the changes that an index lacks."""
        cursor = ChangeCursor(
            self._catalogue,
            index.id,
            applied=index.applied,
            changes_per_step=self._changes_per_step,
        )
        tombstones, is_last = 0, False
        while not (is_last or self._stopping.is_set()):
            step = cursor.read(index.revision)
            tombstones += self._apply_step(index, step)
            cursor.move_past(step)
            is_last = step.is_last
        if tombstones:
            self._purge(index)

    def _apply_step(self, index: IndexRecord, step: Step) -> int:
        """Apply some changes; return how many of them were tombstones."""
        tombstones = apply_changes(self._gallery, index.name, step.changes)
        if step.changes:
            self._unflushed[index.name] = self._unflushed.get(index.name, 0) + len(step.changes)
            if self._gallery.is_embedded and self._unflushed[index.name] >= _FLUSH_AFTER_ROWS:
                self._gallery.flush(index.name)
                del self._unflushed[index.name]
        if step.applied > index.applied:
            # From here on searches rely on the index alone.
            self._gallery.make_visible(index.name)
            self._catalogue.indexes.set_applied(index.id, step.applied)
        return tombstones

    def _purge(self, index: IndexRecord) -> None:
        if digests := self._catalogue.images.purge(index.collection_id):
            self._on_purged(digests)

    def _flush(self) -> None:
        """Flush the indexes; a server flushes by itself, and would make small segments."""
        due = 1 if self._gallery.is_embedded else _SERVER_FLUSH_ROWS
        for name, rows in list(self._unflushed.items()):
            if rows >= due:
                self._gallery.flush(name)
            del self._unflushed[name]

    def _drop_orphans(self, wanted: set[str]) -> None:
        """Drop the indexes that the catalogue no longer has, also those deleted before a crash."""
        if self._orphans_gone and self._opened <= wanted:
            return
        prefix = index_prefix(self._catalogue.collections.instance_id())
        for name in self._gallery.names():
            if name.startswith(prefix) and name not in wanted:
                self._drop(name)
        self._orphans_gone = True

    def _drop(self, name: str) -> None:
        self._gallery.drop(name)
        self._opened.discard(name)
        self._unflushed.pop(name, None)
