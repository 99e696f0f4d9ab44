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
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from bento_service.catalogue import Catalogue
from bento_service.errors import ImageNotFound, StorageFull
from bento_service.ingest.archives.compression import Readable

_BLOCK = 2**20
_SPARED_BYTES = 64 * 2**20


class Uploads:
    """A folder of files `ab/abcd…`, each written whole or not at all."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """Use a folder; it is made if it is not there, and half-written files are removed.

        Args:
            folder: Where they are.
            read_only: Leave everything as it is, because another process writes to the folder.
        """
        self._folder = folder
        self._incoming = folder / "incoming"
        if not read_only:
            self._incoming.mkdir(parents=True, exist_ok=True)
            for left in self._incoming.iterdir():
                left.unlink()
        self._lock = threading.Lock()
        self._pinned: Counter[str] = Counter()

    @contextmanager
    def receiving(self, streams: Iterable[BinaryIO]) -> Iterator[list[str]]:
        """Store the bytes of each stream and give their digests, in order.

        Within the block they cannot be discarded, so that the caller can record who needs them.

        Raises:
            StorageFull: The disk has no room.
        """
        digests: list[str] = []
        try:
            digests.extend(self._store(stream) for stream in streams)
            yield digests
        finally:
            self._let_go(digests)

    @contextmanager
    def intake(self, discard: Callable[[set[str]], object]) -> Iterator[Callable[[Readable], str]]:
        """Store streams one by one; each call stores one and gives its digest.

        Within the block they cannot be discarded; where the block raises, they are.

        Args:
            discard: Removes those of some uploads that nobody needs.

        Raises:
            StorageFull: The disk has no room.
        """
        digests: list[str] = []

        def store(stream: Readable) -> str:
            digests.append(self._store(stream))
            return digests[-1]

        try:
            yield store
        except BaseException:
            self._let_go(digests)
            discard(set(digests))
            raise
        self._let_go(digests)

    def check_room(self, size: int) -> None:
        """Refuse what would leave the disk without room for the catalogue.

        Raises:
            StorageFull: There is none for so many bytes.
        """
        if shutil.disk_usage(self._folder).free < size + _SPARED_BYTES:
            raise StorageFull(
                f"the disk for uploads has no room for {size} bytes; free room and send it again"
            )

    @contextmanager
    def holding(self, digests: Iterable[str]) -> Iterator[set[str]]:
        """Those of these uploads that are stored; within the block they cannot be discarded."""
        with self._lock:
            held = {digest for digest in digests if self._path(digest).exists()}
            self._pinned.update(held)
        try:
            yield held
        finally:
            self._let_go(held)

    def open(self, sha256: str) -> BinaryIO:
        """Stored bytes.

        Raises:
            ImageNotFound: They are not there.
        """
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise ImageNotFound("the uploaded bytes are gone; upload the picture again") from error

    def stored(self) -> Iterator[str]:
        """The digests of everything that is stored."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if len(folder.name) == 2 and folder.is_dir():
                yield from (file.name for file in folder.iterdir())

    def discard(self, digests: set[str], unneeded: Callable[[set[str]], set[str]]) -> None:
        """Remove those of these uploads that nobody needs.

        Args:
            digests: What may be removed.
            unneeded: Says which of some digests nobody needs; asked while nothing can arrive.
        """
        with self._lock:
            candidates = {digest for digest in digests if digest not in self._pinned}
            for digest in unneeded(candidates):
                self._path(digest).unlink(missing_ok=True)

    def _let_go(self, digests: Iterable[str]) -> None:
        with self._lock:
            self._pinned -= Counter(digests)  # forgets those that nobody holds

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
            _sync(self._folder)
        incoming.rename(path)
        _sync(path.parent)

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def discard_unneeded(
    uploads: Uploads,
    catalogue: Catalogue,
    retriable_since: Callable[[], datetime],
    digests: set[str],
) -> None:
    """Remove those of some uploads that neither an image nor a job needs.

    Args:
        uploads: Where they are.
        catalogue: Knows who needs them.
        retriable_since: What failed in jobs which ended earlier is not kept.
        digests: What may be removed.
    """
    unneeded = partial(catalogue.upload_references.unneeded, ended_after=retriable_since())
    uploads.discard(digests, unneeded)


def _sync(folder: Path) -> None:
    """Make the names in a folder outlive a power cut."""
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
