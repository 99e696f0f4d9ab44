"""Limits and checks of zip and tar archives and their members.

Archives are recognised by their content. Members are read one after the other and never written to
the paths in the archive. An archive over a limit is rejected as early as possible.
"""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from bento_service.errors import Forbidden, LookalikeError, TooLarge, UnsupportedMediaType
from bento_service.ingest.archives.compression import is_compressed
from bento_service.storage.blob_store import Readable
from bento_service.storage.file_size import oversize
from bento_service.storage.skips import Skip, Skips
from client_sdk.schemas.patterns import is_clutter

_HEAD_BYTES = 512
_FREE_BYTES = 64 * 2**20
_TAR_MAGIC = slice(257, 262)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Limits:
    """The limits of the archives of one request: files, with refused ones, and expanded bytes.

    `ratio` is that of the expanded size to the size; it does not apply below 64 MiB.
    """

    members: int
    member_bytes: int
    total_bytes: int
    ratio: int


class Allowance:
    """The use of the limits by all archives of one request."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._members = 0
        self._bytes = 0
        self._archive_bytes = 0
        self.skips = Skips()

    def begin(self, archive_bytes: int) -> None:
        """Add the size of the next archive."""
        self._archive_bytes += archive_bytes

    def skips_clutter(self, name: str) -> bool:
        """Return true, and count a member, if a system or a program has added it."""
        is_skipped = any(map(is_clutter, name.split("/")))
        if is_skipped:
            self.skips.add(Skip.CLUTTER, shown(name))
        return is_skipped

    def take_member(self) -> None:
        """Count a member, or raise `TooLarge` if there are too many."""
        self._members += 1
        if self._members > self.limits.members:
            raise TooLarge(
                f"the archive holds more than {self.limits.members} files; send it in parts, or "
                "raise LOOKALIKE_MAX_ARCHIVE_MEMBERS"
            )

    def take_bytes(self, size: int) -> None:
        """Count bytes that an archive expanded to or declares, or raise `TooLarge`."""
        self._bytes += size
        if self._bytes > self.limits.total_bytes:
            raise TooLarge(
                f"the archive expands to more than {self.limits.total_bytes} bytes; send it in "
                "parts, or raise LOOKALIKE_MAX_ARCHIVE_BYTES"
            )
        if self._bytes > max(_FREE_BYTES, self.limits.ratio * self._archive_bytes):
            raise TooLarge(
                f"the archive expands to more than {self.limits.ratio} times its size, like a "
                "bomb; send the pictures themselves, or raise LOOKALIKE_MAX_ARCHIVE_RATIO"
            )


class _Peeked:
    """A stream whose first bytes, the head, have been read already."""

    def __init__(self, head: bytes, read: Callable[[int], bytes]) -> None:
        self._unread = head
        self._read = read

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        if not self._unread:
            return self._read(size)
        data, self._unread = self._unread[:size], self._unread[size:]
        return data


@dataclass(frozen=True)
class Member:
    """A file of an archive; its stream can be read until the next member is requested.

    Reading raises `ImageUnreadable` if only this member is damaged, and `InvalidArgument` or
    `TooLarge` if the archive is damaged or too large.
    """

    name: str
    size: int
    stream: Readable


@dataclass(frozen=True)
class Unfit:
    """A refused member and the reason."""

    name: str
    error: LookalikeError


def is_zip(stream: BinaryIO) -> bool:
    """Return true if a stream starts like a zip archive."""
    stream.seek(0)
    return stream.read(4) in _ZIP_MAGIC


def looks_like_tar(head: bytes) -> bool:
    """Return true if the first block of a stream is that of a tar archive."""
    return head[_TAR_MAGIC] == b"ustar"


def objection(name: str, size: int, limits: Limits, *, is_file: bool) -> LookalikeError | None:
    """Return the error of a member's name, size or kind, if any."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or parts[0][1:2] == ":":
        return Forbidden("its path leads out of the archive; pack it with relative paths")
    if error := oversize(size, limits.member_bytes):
        return error
    return None if is_file else Forbidden("a link or a device; pack only files")


def member(name: str, size: int, read: Callable[[int], bytes]) -> Member | Unfit:
    """Return a member that can be read, unless it starts like an archive: these are not nested."""
    head = read(_HEAD_BYTES)
    if head.startswith(_ZIP_MAGIC) or is_compressed(head) or looks_like_tar(head):
        error = UnsupportedMediaType("an archive within an archive; send it by itself")
        return Unfit(shown(name), error)
    return Member(shown(name), size, _Peeked(head, read))


def shown(name: str) -> str:
    """Return a member's name as the path of a job's file."""
    return posixpath.normpath(name.replace("\0", "")).strip("/")[-1024:] or "unnamed"
