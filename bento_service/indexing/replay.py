"""Keeps the indexes equal to the catalogue by replaying the catalogue's changes into them.

Every change of an image carries a revision; `applied` of an index says up to which revision it is.
Changes beyond that are applied in order and are idempotent, so a crash at any point heals itself
at the next start. While Milvus is away the catalogue goes on, and replay catches up.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import Self

import numpy as np
from sqlalchemy.exc import OperationalError

from bento_service.catalogue import Catalogue
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.records import Change, IndexRecord
from bento_service.errors import IndexUnavailable, LookalikeError
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.checks import defect, garbled
from bento_service.indexing.index_swap import Succession, applied_to

_log = logging.getLogger(__name__)
_CHANGES_A_STEP = 1000
MAX_BEHIND = 1000
"""Changes that an index may lack when searches begin to use it; they are compared beside it."""
_FLUSH_AFTER_ROWS = 1000
_FLUSH_AFTER_SECONDS = 1.0
_SERVER_FLUSH_ROWS = 10_000
_GATHER_SECONDS = 0.5
_SWEEP_SECONDS = 0.05
"""Between two parts of what is deleted, so that others can write."""
_RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
_LOOK_SECONDS = 5.0
"""How often a Milvus server is asked whether it is still there; Lite is in this process."""
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
        rule: IndexRule | None = None,
    ) -> None:
        """Prepare.

        Args:
            catalogue: What is followed.
            gallery: What follows.
            on_purged: Told the digests of uploads whose last image may have gone.
            rule: Which kind of index a collection should have; as it is where there is none.
        """
        self._catalogue = catalogue
        self._gallery = gallery
        self._on_purged = on_purged
        self._succession = None if rule is None else Succession(catalogue, gallery, rule)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._opened: set[str] = set()
        self._unflushed: dict[str, int] = {}
        self._orphans_gone = False
        self._was_ready = False
        self._looks = 0
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

    def is_open(self, index: IndexRecord) -> bool:
        """Whether an index was opened, compared with the catalogue, and works as far as known."""
        return index.name in self._opened

    @property
    def was_ready(self) -> bool:
        """Whether there was a moment in which the indexes of all collections were open."""
        return self._was_ready

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._follow()
                failures = 0
            except _TROUBLE as error:
                _log.warning("replay waits: %s", error)
                self._orphans_gone = False  # what was given up half made may be one
                pause = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        try:
            self._flush()
        except IndexUnavailable:
            _log.warning("the index was not flushed; the next start does that")

    def _follow(self) -> None:
        """Apply what is new, then wait for more; flush when a burst has ended."""
        self._wake.clear()
        self._opened -= self._gallery.doubted()
        indexes = self._catalogue.indexes.all()
        trouble = None
        for index in indexes:
            try:
                self._open(index)
                self._apply(index)
            except _TROUBLE as error:  # the others need not wait for this one
                trouble = error
                # A server that comes back may have released or lost it: it is compared again.
                self._opened.discard(index.name)
        self._was_ready = self._was_ready or self._is_ready()
        try:
            self._drop_orphans({name for index in indexes for name in index.names})
        except _TROUBLE as error:
            trouble = error
        if trouble is not None:
            raise trouble
        if self._stopping.is_set():
            return
        self._finish_reindexes()
        pause = self._succeed()
        if self._catalogue.retired.sweep():
            pause = _SWEEP_SECONDS if pause is None else min(pause, _SWEEP_SECONDS)
        self._await_changes(indexes, pause)

    def _is_ready(self) -> bool:
        collections = self._catalogue.collections.all()
        return all(self.is_open(collection.index) for collection in collections)

    def _await_changes(self, indexes: list[IndexRecord], pause: float | None) -> None:
        """Until something has changed, or `pause` seconds after which there is more to do."""
        if pause is not None and pause < _FLUSH_AFTER_SECONDS:
            self._stopping.wait(pause)
            self._wake.set()
            return
        idle = pause if self._gallery.is_embedded else min(pause or _LOOK_SECONDS, _LOOK_SECONDS)
        if self._wake.wait(_FLUSH_AFTER_SECONDS if self._unflushed else idle):
            self._stopping.wait(_GATHER_SECONDS)  # fewer, larger writes; searches do not wait
        elif self._unflushed:
            self._flush()
        elif indexes:
            self._look(indexes[self._looks % len(indexes)])
            self._looks += 1

    def _look(self, index: IndexRecord) -> None:
        """Notice that a server went away or forgot an index before a caller does."""
        try:
            self._probe(index)
        except IndexUnavailable:
            self._opened.clear()
            raise

    def _finish_reindexes(self) -> None:
        """Let searches use the indexes that were prepared, if they hold what they should."""
        for index in self._catalogue.reindexes.due():
            if len(self._catalogue.changes.changed_ids(index.id, after=index.applied)) > MAX_BEHIND:
                self._wake.set()  # what was settled last comes first
            elif problem := defect(self._catalogue, self._gallery, index):
                _log.error("index of %s is not switched to: %s", index.collection, problem)
                self._catalogue.reindexes.fail(index, problem)
                self._drop(index.name)
            elif self._catalogue.reindexes.switch(index):
                _log.info("searches of %s use %s", index.collection, index.space.descriptor)
                self._wake.set()  # the index before the last one goes

    def _succeed(self) -> float | None:
        """Exchange indexes for those of other kinds; in how many seconds to go on with it."""
        if self._succession is None:
            return None
        switched, seconds = self._succession.step(self._catalogue.indexes.all())
        self._opened.update(switched)
        if switched:
            for index in self._catalogue.indexes.all():
                self._purge(index)  # what waited for an index that was filled
        return 0.0 if switched else seconds  # what was exchanged goes

    def _open(self, index: IndexRecord) -> None:
        """Open an index once and make it hold exactly what the catalogue says that it holds."""
        if self.is_open(index):
            return
        try:
            self._open_and_compare(index)
        except IndexUnavailable as error:
            if not self._gallery.is_embedded:  # a server is away more often than damaged
                raise
            _log.warning("index of %s is damaged (%s); building it again", index.collection, error)
            self._gallery.drop(index.name)
            self._open_and_compare(index)

    def _open_and_compare(self, index: IndexRecord) -> None:
        self._gallery.open(index.name, index.space.dimension)
        held = self._gallery.ids(index.name)
        expected = self._catalogue.changes.living_ids(index.id, up_to=index.applied)
        pending = self._catalogue.changes.changed_ids(index.id, after=index.applied)
        if ghosts := held - expected - pending:
            _log.warning("index of %s held %d unknown rows", index.collection, len(ghosts))
            self._gallery.delete(index.name, sorted(ghosts))
        if missing := expected - held:
            _log.warning("index of %s lacked %d rows", index.collection, len(missing))
            self._catalogue.changes.touch(index, missing)
        self._purge(index)
        self._probe(index)
        if self._gallery.is_milvus_lite and (
            wrong := garbled(self._catalogue, self._gallery, index)
        ):
            raise IndexUnavailable(f"{wrong} rows are not what was written")
        self._opened.add(index.name)

    def _probe(self, index: IndexRecord) -> None:
        # A server lists its indexes long before it can search them, so only a search tells.
        probe = np.zeros(index.space.dimension, np.float32)
        self._gallery.search(index.name, probe, top_k=1)

    def _apply(self, index: IndexRecord) -> None:
        position = (index.applied, _LAST_ID)
        applied = index.applied
        buried = 0
        while not self._stopping.is_set():
            step = self._catalogue.changes.page(index.id, after=position, limit=_CHANGES_A_STEP)
            buried += self._apply_step(index.name, step)
            if len(step) < _CHANGES_A_STEP:
                # All that was committed when the index was read is applied; changes that
                # came later begin a new revision.
                applied = max(index.revision, position[0], *(c.revision for c in step))
                self._advance(index, applied)
                break
            position = (step[-1].revision, step[-1].image_id)
            applied = position[0] - 1  # its last revision may go on in the next step
            self._advance(index, applied)
        if buried:
            self._purge(index)

    def _advance(self, index: IndexRecord, applied: int) -> None:
        if applied > index.applied:
            # From here on searches rely on the index alone.
            self._gallery.make_visible(index.name)
            self._catalogue.indexes.set_applied(index.id, applied)

    def _apply_step(self, name: str, step: list[Change]) -> int:
        """Apply some changes to an index; returns how many of them were tombstones."""
        if not step:
            return 0
        buried = applied_to(self._gallery, name, step)
        self._unflushed[name] = self._unflushed.get(name, 0) + len(step)
        if self._gallery.is_embedded and self._unflushed[name] >= _FLUSH_AFTER_ROWS:
            self._gallery.flush(name)
            del self._unflushed[name]
        return buried

    def _purge(self, index: IndexRecord) -> None:
        uploads = self._catalogue.images.purge(index.collection_id)
        if uploads:
            self._on_purged(uploads)

    def _flush(self) -> None:
        """A server does so by itself in time; after every burst it would make small segments."""
        due = 1 if self._gallery.is_embedded else _SERVER_FLUSH_ROWS
        for name, rows in list(self._unflushed.items()):
            if rows >= due:
                self._gallery.flush(name)
            del self._unflushed[name]

    def _drop_orphans(self, wanted: set[str]) -> None:
        """Drop the indexes that the catalogue has no more, also those deleted before a crash."""
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
