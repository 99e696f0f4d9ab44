"""Replay: a thread that applies the catalogue's changes to the indexes.

Every change of an image has a revision; `applied` of an index is the revision up to which it holds
all changes. Later changes are applied in order, and each can be applied twice, so a crash at any
point heals at the next start. While Milvus is away the catalogue goes on, and replay catches up.

Of several replicas, only the owner changes indexes; the others check that searches are answered.
"""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.errors import IndexUnavailable
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.change_steps import CHANGES_PER_STEP
from bento_service.indexing.change_wait import ChangeWait
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.index_writer import TRANSIENT, IndexWriter
from bento_service.indexing.open_indexes import OpenIndexes

_log = logging.getLogger(__name__)
_CLOSE_SECONDS = 30.0


@dataclass(frozen=True)
class ReplayPace:
    """The step sizes and pauses of replay.

    Attributes:
        changes_per_step: Most changes to apply at once.
        gather_seconds: Seconds for which changes are gathered, so that writes are fewer.
        flush_seconds: Seconds without changes after which written rows are flushed.
        retry_seconds: Seconds after the first and further failures; the last one is repeated.
        probe_seconds: Seconds between two probes of an idle Milvus server.
    """

    changes_per_step: int = CHANGES_PER_STEP
    gather_seconds: float = 0.5
    flush_seconds: float = 1.0
    retry_seconds: Sequence[float] = (0.5, 1.0, 2.0, 5.0)
    probe_seconds: float = 5.0


class Replay:
    """A thread that follows the catalogue. Start it with `with`.

    Args:
        on_purged: Called with the digests of uploads whose last image may be gone.
        swap: Swaps indexes for others of another type; index types stay as they are if `None`.
        is_owner: Returns whether this replica changes the indexes.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        *,
        on_purged: Callable[[set[str]], None],
        swap: IndexSwap | None = None,
        is_owner: Callable[[], bool] = lambda: True,
        pace: ReplayPace | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._is_owner = is_owner
        self._pace = pace or ReplayPace()
        self._changes = ChangeWait(catalogue, is_owner)
        self._stopping = threading.Event()
        self._owned = False
        self._open = OpenIndexes(catalogue, gallery, on_purged)
        size = self._pace.changes_per_step
        self._writer = IndexWriter(catalogue, gallery, self._open, swap, self._may_go_on, size)
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
        failures, pauses = 0, self._pace.retry_seconds
        while not self._stopping.is_set():
            try:
                self._take_turn()
                failures = 0
            except TRANSIENT as error:
                _log.warning("replay waits: %s", error)
                self._writer.orphans_gone = False  # an index given up half made may be one
                pause = pauses[min(failures, len(pauses) - 1)]
                failures += 1
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        try:
            if self._is_owner():
                self._writer.flush()
        except IndexUnavailable:
            _log.warning("the index was not flushed; the next start does that")

    def _take_turn(self) -> None:
        owns = self._is_owner()
        if owns != self._owned:
            self._owned = owns
            self._writer.forget()
        self._changes.begin()
        self._open.names.difference_update(self._gallery.take_suspects())
        indexes = self._catalogue.indexes.all()
        if owns:
            self._follow(indexes)
        else:
            self._observe(indexes)

    def _observe(self, indexes: list[IndexRecord]) -> None:
        """Check that searches of the indexes are answered, then wait for changes."""
        failure = None
        for index in indexes:
            try:
                self._open.observe(index)
            except IndexUnavailable as error:
                failure = error
        self._note_readiness()
        if failure is not None:
            raise failure
        if not self._changes.wait(self._pace.probe_seconds) and indexes:
            self._probe_next(indexes)

    def _follow(self, indexes: list[IndexRecord]) -> None:
        """Apply new changes, then wait for more; flush at the end of a burst."""
        try:
            has_more = self._writer.bring_up_to_date(indexes)
        finally:
            self._note_readiness()
        if not has_more and self._may_go_on():
            self._wait_for_changes(indexes, self._writer.advance())

    def _note_readiness(self) -> None:
        if not self.was_ready:
            self.was_ready = self._open.serve(self._catalogue.collections.all())

    def _wait_for_changes(self, indexes: list[IndexRecord], pause: float | None) -> None:
        """Wait until something has changed, or for `pause` seconds if there is more to do."""
        pace = self._pace
        if pause is not None and pause < pace.flush_seconds:
            self._stopping.wait(pause)
            return
        if not self._gallery.is_embedded:
            pause = min(pause or pace.probe_seconds, pace.probe_seconds)
        if self._changes.wait(pace.flush_seconds if self._writer.has_unflushed else pause):
            self._stopping.wait(pace.gather_seconds)
        elif self._writer.has_unflushed:
            self._writer.flush()
        elif indexes:
            self._probe_next(indexes)

    def _probe_next(self, indexes: list[IndexRecord]) -> None:
        """Notice before a caller does that a server went away or lost an index."""
        index = indexes[self._probes % len(indexes)]
        try:
            self._open.probe(index)
        except IndexUnavailable:
            self._open.names.clear()
            raise
        self._probes += 1

    def _may_go_on(self) -> bool:
        return not self._stopping.is_set() and self._is_owner()
