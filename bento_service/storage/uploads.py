"""Stored uploads: the bytes of uploaded pictures and manifests, kept while something needs them."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Self
from uuid import uuid4

from bento_service.catalogue.jobs.upload_pins import CLAIM_SECONDS, UploadPins
from bento_service.errors import NotReady, StorageFull, StorageUnavailable
from bento_service.storage.blob_store import BlobStore, Readable, Staged
from bento_service.storage.digests import is_digest

_BATCH_FILES = 64
_BATCH_BYTES = 64 * 2**20
_REMOVED_AT_ONCE = 500
_LOOK_SECONDS = 0.05
_log = logging.getLogger(__name__)

Unneeded = Callable[[set[str]], set[str]]


class Intake:
    """The uploads of one request, which are pinned and stored in batches; see `BlobStore`.

    Attributes:
        holder: The holder of the pins, for the transaction that makes the uploads needed.
        digests: The digests of the uploads that are pinned.
    """

    def __init__(self, blobs: BlobStore, pin: Callable[[str, Iterable[str]], None]) -> None:
        self._blobs = blobs
        self._pin = pin
        self._staged: list[Staged] = []
        self.holder = uuid4().hex
        self.digests: set[str] = set()

    def add(self, stream: Readable) -> str:
        """Receive a stream and return its digest; it is stored after the next `finish`."""
        staged = self._blobs.stage(stream)
        self._staged.append(staged)
        size = sum(each.size for each in self._staged)
        if len(self._staged) >= _BATCH_FILES or size >= _BATCH_BYTES:
            self.finish()
        return staged.sha256

    def finish(self) -> None:
        """Pin and store what was received.

        Raises:
            NotReady: The same bytes are being removed, or the catalogue does not answer.
        """
        arrived = {each.sha256 for each in self._staged}
        self.digests |= arrived
        self._pin(self.holder, arrived)
        self._blobs.keep(self._staged)
        self.drop()

    def drop(self) -> None:
        """Forget what was received and not stored."""
        self._blobs.drop(self._staged)
        self._staged = []


class Uploads:
    """The uploads of a catalogue, which several processes may use. Close it with `with`.

    After the end of the block nothing is removed any more, even by threads that still run.
    `unneeded` returns the given digests that no request, job or image needs; `removal_seconds` is
    the longest wait of an upload for the removal of the same bytes.
    """

    def __init__(
        self,
        blobs: BlobStore,
        pins: UploadPins,
        *,
        unneeded: Unneeded,
        removal_seconds: float = 10.0,
    ) -> None:
        self.blobs = blobs
        self._pins = pins
        self._unneeded = unneeded
        self._removal_seconds = removal_seconds
        self._removing = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._removing:
            self._is_closed = True

    @contextmanager
    def intake(self) -> Iterator[Intake]:
        """Yield an intake of uploads, which cannot be discarded within the block.

        If the block raises, the uploads are discarded unless something else needs them.
        """
        intake = Intake(self.blobs, self._pin)
        try:
            yield intake
        except BaseException as error:
            self._end(intake)
            if not isinstance(error, StorageUnavailable):  # its removal would fail, too
                self.discard(intake.digests)
            raise
        self._end(intake)

    def _end(self, intake: Intake) -> None:
        intake.drop()
        self._unpin(intake.holder)

    @contextmanager
    def holding(self, digests: Iterable[str]) -> Iterator[set[str]]:
        """Yield which of these uploads are stored; within the block they cannot be discarded.

        Raises:
            NotReady: One of them is being removed, or a database or store does not answer.
        """
        holder, wanted = uuid4().hex, set(digests)
        try:
            self._pin(holder, wanted)
            yield set(self.blobs.sizes(wanted))
        finally:
            self._unpin(holder)

    def discard_all_unneeded(self) -> None:
        """Remove every stored upload that nothing needs, and what a crash has left half stored.

        Raises:
            NotReady: The catalogue or the store does not answer.
        """
        self.blobs.remove_partial()
        self._pins.drop_expired()
        names = self.blobs.stored()
        self._remove_in_parts(filter(is_digest, names))

    def discard(self, digests: set[str]) -> None:
        """Remove the given uploads that nothing needs.

        A failure is logged, because `discard_all_unneeded` tries again.
        """
        try:
            self._remove_in_parts(sorted(digests))
        except (NotReady, StorageFull) as error:
            _log.warning("removing unneeded uploads is put off: %s", error)

    def _remove_in_parts(self, digests: Iterable[str]) -> None:
        left = iter(digests)
        while some := set(islice(left, _REMOVED_AT_ONCE)):
            self._remove_unneeded(some)

    def _remove_unneeded(self, digests: set[str]) -> None:
        candidates = set() if self._is_closed else self._unneeded(digests)
        if not candidates:
            return  # claims are written only for the few that may have to be removed
        begun = time.monotonic()
        with self._removing, self._pins.claimed(candidates) as claimed:
            unneeded = self._unneeded(claimed)
            is_claimed = time.monotonic() - begun < CLAIM_SECONDS / 2
            if is_claimed and not self._is_closed:
                self.blobs.remove(unneeded)

    def _pin(self, holder: str, digests: Iterable[str]) -> None:
        """Pin uploads, and wait until none of them is being removed."""
        wanted = set(digests)
        if not wanted:
            return
        self._pins.pin(holder, wanted)
        deadline = time.monotonic() + self._removal_seconds
        while self._pins.are_claimed(wanted):
            if time.monotonic() >= deadline:
                raise NotReady("the same bytes are being removed; try again in some minutes")
            time.sleep(_LOOK_SECONDS)

    def _unpin(self, holder: str) -> None:
        with suppress(NotReady, StorageFull):  # a pin that stays expires
            self._pins.unpin(holder)
