"""Stored uploads: the bytes of uploaded pictures, named by their SHA-256."""

import errno
import hashlib
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from bento_service.errors import ImageNotFound, StorageFull

_BLOCK = 2**20
_SPARED_BYTES = 64 * 2**20


class Readable(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


Unneeded = Callable[[set[str]], set[str]]


def _all_needed(_: set[str]) -> set[str]:
    return set()


class Uploads:
    """A folder of files `ab/abcd…`, each written atomically.

    Opening creates a missing folder and removes partially written files.

    Args:
        folder: The folder.
        unneeded: Returns the given digests that neither an image nor a job needs.
        read_only: Change nothing, because another process writes to the folder.
    """

    def __init__(
        self, folder: Path, *, unneeded: Unneeded = _all_needed, read_only: bool = False
    ) -> None:
        self._folder = folder
        self._unneeded = unneeded
        self._incoming = folder / "incoming"
        if not read_only:
            self._incoming.mkdir(parents=True, exist_ok=True)
            for partial in self._incoming.iterdir():
                partial.unlink()
        self._lock = threading.Lock()
        self._pinned: Counter[str] = Counter()

    @contextmanager
    def receiving(self, streams: Iterable[BinaryIO]) -> Iterator[list[str]]:
        """Store the bytes of each stream and yield their digests, in order.

        Within the block they cannot be discarded, so the caller can record the need for them.

        Raises:
            StorageFull: The disk is full.
        """
        digests: list[str] = []
        try:
            digests.extend(self._store(stream) for stream in streams)
            yield digests
        finally:
            self._unpin(digests)

    @contextmanager
    def intake(self) -> Iterator[Callable[[Readable], str]]:
        """Yield a function that stores a stream and returns its digest.

        Within the block the stored bytes cannot be discarded; if the block raises, they are.

        Raises:
            StorageFull: The disk is full.
        """
        digests: list[str] = []

        def store(stream: Readable) -> str:
            digests.append(self._store(stream))
            return digests[-1]

        try:
            yield store
        except BaseException:
            self._unpin(digests)
            self.discard(set(digests))
            raise
        self._unpin(digests)

    def check_room(self, size: int) -> None:
        """Check that the disk keeps room for the catalogue after `size` more bytes.

        Raises:
            StorageFull: It does not.
        """
        if shutil.disk_usage(self._folder).free < size + _SPARED_BYTES:
            raise StorageFull(
                f"the disk for uploads has no room for {size} bytes; free room and send it again"
            )

    @contextmanager
    def holding(self, digests: Iterable[str]) -> Iterator[set[str]]:
        """Yield which of these uploads are stored; within the block they cannot be discarded."""
        with self._lock:
            present = {digest for digest in digests if self._path(digest).exists()}
            self._pinned.update(present)
        try:
            yield present
        finally:
            self._unpin(present)

    def open(self, sha256: str) -> BinaryIO:
        """Open stored bytes.

        Raises:
            ImageNotFound: They are not stored.
        """
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise ImageNotFound("the uploaded bytes are gone; upload the picture again") from error

    def stored(self) -> Iterator[str]:
        """Yield the digests of all stored uploads."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if len(folder.name) == 2 and folder.is_dir():
                yield from (file.name for file in folder.iterdir())

    def discard(self, digests: set[str]) -> None:
        """Remove the given uploads that neither an image nor a job needs."""
        with self._lock:  # no upload can arrive during the check
            self._remove(self._unneeded(digests - self._pinned.keys()))

    def remove(self, digests: set[str]) -> None:
        """Remove uploads, except those in use by a block, even if they are needed."""
        with self._lock:
            self._remove(digests - self._pinned.keys())

    def _remove(self, digests: set[str]) -> None:
        for digest in digests:
            self._path(digest).unlink(missing_ok=True)

    def _unpin(self, digests: Iterable[str]) -> None:
        with self._lock:
            self._pinned -= Counter(digests)  # drops counts of zero

    def _store(self, stream: Readable) -> str:
        try:
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
            incoming = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    sha256 = _copy(stream, file)
                    file.flush()
                    os.fsync(file.fileno())
                with self._lock:
                    self._keep(incoming, sha256)
                    self._pinned[sha256] += 1
            finally:
                incoming.unlink(missing_ok=True)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(
                    "the disk for uploads is full; free room and send it again"
                ) from error
            raise
        return sha256

    def _keep(self, incoming: Path, sha256: str) -> None:
        path = self._path(sha256)
        if path.exists():
            return
        if not path.parent.exists():
            path.parent.mkdir()
            sync_folder(self._folder)
        incoming.rename(path)
        sync_folder(path.parent)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Readable, target: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        digest.update(block)
        target.write(block)
    return digest.hexdigest()
