"""The interface of the stores of uploaded bytes, and what their implementations share."""

import errno
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bento_service.errors import ImageNotFound, StorageFull

_BLOCK = 2**20


class Readable(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Staged:
    """Bytes that have arrived in an open file, but are not stored under their digest yet."""

    file: BinaryIO
    path: Path
    sha256: str
    size: int


class BlobStore(Protocol):
    """A store of bytes that are named by their SHA-256 and never change. Threads may share it.

    Every method raises `StorageUnavailable` if the store does not answer, and `StorageFull` if the
    disk has no room. Only `keep` and `remove` change anything that other processes see.
    """

    def stage(self, stream: Readable) -> Staged:
        """Copy a stream to a file and compute its digest; `drop` removes the file."""

    def keep(self, staged: Sequence[Staged]) -> None:
        """Store staged bytes durably under their digests, unless they are stored already."""

    def drop(self, staged: Sequence[Staged]) -> None:
        """Remove the files of staged bytes, whether these were kept or not."""

    def open(self, sha256: str) -> BinaryIO:
        """Open stored bytes as a file of the operating system.

        Raises:
            ImageNotFound: They are not stored.
        """

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """Return the numbers of bytes of those of these digests that are stored."""

    def stored(self) -> Iterator[str]:
        """Yield the digests of all stored bytes."""

    def remove(self, digests: set[str]) -> None:
        """Remove stored bytes; missing ones are skipped."""

    def remove_partial(self) -> None:
        """Remove staged files of processes that have ended."""

    def check_room(self, size: int) -> None:
        """Check that there is room for `size` more bytes."""


def copy_stream(source: Readable, target: BinaryIO) -> tuple[str, int]:
    """Copy a stream; return its digest and its size."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += target.write(block)
    return digest.hexdigest(), size


@contextmanager
def raising_storage_full() -> Iterator[None]:
    """Turn the error of a full disk into `StorageFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "the disk for uploads is full; free room and send it again"
            ) from error
        raise


def not_stored() -> ImageNotFound:
    """Return the error of missing bytes."""
    return ImageNotFound("the uploaded bytes are gone; upload the picture again")
