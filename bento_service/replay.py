"""Keeps the index equal to the catalogue by replaying the catalogue's changes into it.

Every change of an image carries a revision; `applied` of a collection says up to which revision
its index is. Changes beyond that are applied in order and are idempotent, so a crash at any point
heals itself at the next start. While Milvus is away the catalogue goes on, and replay catches up.
"""

import logging
import threading
from collections.abc import Callable
from typing import Self

import numpy as np
from sqlalchemy.exc import OperationalError

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change, CollectionRecord
from bento_service.errors import IndexUnavailable, LookalikeError
from bento_service.gallery.gallery import Gallery

_log = logging.getLogger(__name__)
_CHANGES_A_STEP = 1000
_FLUSH_AFTER_ROWS = 1000
_FLUSH_AFTER_SECONDS = 1.0
_GATHER_SECONDS = 0.5
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
_CLOSE_SECONDS = 30.0
_LAST_ID = 2**62
# Milvus away, a full disk, a collection deleted under way, a lost database: all of it passes.
_TROUBLE = (LookalikeError, OperationalError, OSError)


class Replay:
    """A thread that follows the catalogue. Start it with `with`."""

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        *,
        on_purged: Callable[[set[str]], None],
    ) -> None:
        """Prepare.

        Args:
            catalogue: What is followed.
            gallery: What follows.
            on_purged: Told the digests of uploads whose last image may have gone.
        """
        self._catalogue = catalogue
        self._gallery = gallery
        self._on_purged = on_purged
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._opened: set[str] = set()
        self._unflushed: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join(_CLOSE_SECONDS)

    def wake(self) -> None:
        """Tell that the catalogue has changed."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; a defect that ends it is in the log."""
        return self._thread.is_alive()

    def is_open(self, collection: CollectionRecord) -> bool:
        """Whether a collection's index was opened and compared with the catalogue."""
        return collection.index_name in self._opened

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._follow()
                failures = 0
            except _TROUBLE as error:
                _log.warning("replay waits: %s", error)
                pause = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                self._stopping.wait(pause)
        try:
            self._flush()
        except IndexUnavailable:
            _log.warning("the index was not flushed; the next start does that")

    def _follow(self) -> None:
        """Apply what is new, then wait for more; flush when a burst has ended."""
        self._wake.clear()
        collections = self._catalogue.collections.all()
        self._drop_orphans({collection.index_name for collection in collections})
        trouble = None
        for collection in collections:
            try:
                self._open(collection)
                self._apply(collection)
            except _TROUBLE as error:  # the others need not wait for this one
                trouble = error
        if trouble is not None:
            raise trouble
        if self._stopping.is_set():
            return
        if self._wake.wait(_FLUSH_AFTER_SECONDS if self._unflushed else None):
            self._stopping.wait(_GATHER_SECONDS)  # fewer, larger writes; searches do not wait
        else:
            self._flush()

    def _open(self, collection: CollectionRecord) -> None:
        """Open an index once and make it hold exactly what the catalogue says that it holds."""
        if self.is_open(collection):
            return
        self._gallery.open(collection.index_name, collection.space.dimension)
        held = self._gallery.ids(collection.index_name)
        expected = self._catalogue.images.living_ids(collection.id, up_to=collection.applied)
        pending = self._catalogue.images.changed_ids(collection.id, after=collection.applied)
        if ghosts := held - expected - pending:
            _log.warning("index of %s held %d unknown rows", collection.name, len(ghosts))
            self._gallery.delete(collection.index_name, sorted(ghosts))
        if missing := expected - held:
            _log.warning("index of %s lacked %d rows", collection.name, len(missing))
            self._catalogue.images.touch(collection.id, missing)
        self._purge(collection, collection.applied)
        # A server lists its indexes long before it can search them, so only a search tells.
        probe = np.zeros(collection.space.dimension, np.float32)
        self._gallery.search(collection.index_name, probe, top_k=1)
        self._opened.add(collection.index_name)

    def _apply(self, collection: CollectionRecord) -> None:
        position = (collection.applied, _LAST_ID)
        applied = collection.applied
        buried = 0
        while not self._stopping.is_set():
            step = self._catalogue.images.changes(
                collection.id, after=position, limit=_CHANGES_A_STEP
            )
            buried += self._apply_step(collection, step)
            if len(step) < _CHANGES_A_STEP:
                # All that was committed when the collection was read is applied; changes that
                # came later begin a new revision.
                applied = max(collection.revision, position[0], *(c.revision for c in step))
                self._advance(collection, applied)
                break
            position = (step[-1].revision, step[-1].image_id)
            applied = position[0] - 1  # its last revision may go on in the next step
            self._advance(collection, applied)
        if buried:
            self._purge(collection, applied)

    def _advance(self, collection: CollectionRecord, applied: int) -> None:
        if applied > collection.applied:
            # From here on searches rely on the index alone.
            self._gallery.make_visible(collection.index_name)
            self._catalogue.collections.set_applied(collection.id, applied)

    def _apply_step(self, collection: CollectionRecord, step: list[Change]) -> int:
        """Apply some changes; returns how many of them were tombstones."""
        if not step:
            return 0
        name = collection.index_name
        living = [change for change in step if not change.deleted]
        buried = [change.image_id for change in step if change.deleted]
        if living:
            self._gallery.upsert(name, [c.image_id for c in living], [c.descriptor for c in living])
        if buried:
            self._gallery.delete(name, buried)
        self._unflushed[name] = self._unflushed.get(name, 0) + len(step)
        if self._unflushed[name] >= _FLUSH_AFTER_ROWS:
            self._gallery.flush(name)
            del self._unflushed[name]
        return len(buried)

    def _purge(self, collection: CollectionRecord, applied: int) -> None:
        uploads = self._catalogue.images.purge(collection.id, up_to=applied)
        if uploads:
            self._on_purged(uploads)

    def _flush(self) -> None:
        for name in list(self._unflushed):
            self._gallery.flush(name)
            del self._unflushed[name]

    def _drop_orphans(self, wanted: set[str]) -> None:
        """Drop the indexes of deleted collections, also those deleted before a crash."""
        if self._opened and self._opened <= wanted:
            return
        prefix = f"lookalike_{self._catalogue.collections.instance_id()[:12]}_"
        for name in self._gallery.names():
            if name.startswith(prefix) and name not in wanted:
                self._gallery.drop(name)
                self._opened.discard(name)
                self._unflushed.pop(name, None)
