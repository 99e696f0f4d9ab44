"""Zip and tar archives as the files that they hold, within limits.

Told by content. Members are read one after the other and nothing is written here: names in an
archive are only names. An archive that expands beyond the limits is refused as soon as that shows.
"""

import posixpath
from dataclasses import dataclass
from typing import BinaryIO

from bento_service.errors import (
    Forbidden,
    LookalikeError,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.ingest.archives.compression import is_compressed
from bento_service.storage.uploads import Readable

_FREE_BYTES = 64 * 2**20
_TAR_MAGIC = slice(257, 262)
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Limits:
    """What the archives of one request may hold.

    Attributes:
        members: Files, those that are refused included.
        member_bytes: Of one file.
        total_bytes: Of everything.
        ratio: Of what they hold to their own size; small archives are not held to it.
    """

    members: int
    member_bytes: int
    total_bytes: int
    ratio: int


class Allowance:
    """What is left of the limits, for all archives of one request together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._members = 0
        self._bytes = 0
        self._archive_bytes = 0

    @property
    def limits(self) -> Limits:
        """What was allowed at first."""
        return self._limits

    def begin(self, archive_bytes: int) -> None:
        """Go on with an archive of such a size."""
        self._archive_bytes += archive_bytes

    def take_member(self) -> None:
        """Count a member.

        Raises:
            TooLarge: There are too many.
        """
        self._members += 1
        if self._members > self._limits.members:
            raise TooLarge(
                f"the archive holds more than {self._limits.members} files; send it in parts, or "
                "raise LOOKALIKE_MAX_ARCHIVE_MEMBERS"
            )

    def take_bytes(self, size: int) -> None:
        """Count bytes that came out of an archive, or that it says will come.

        Raises:
            TooLarge: There are too many, by themselves or for an archive of that size.
        """
        self._bytes += size
        if self._bytes > self._limits.total_bytes:
            raise TooLarge(
                f"the archive expands to more than {self._limits.total_bytes} bytes; send it in "
                "parts, or raise LOOKALIKE_MAX_ARCHIVE_BYTES"
            )
        if self._bytes > max(_FREE_BYTES, self._limits.ratio * self._archive_bytes):
            raise TooLarge(
                f"the archive expands to more than {self._limits.ratio} times its size, as a bomb "
                "does; send the pictures themselves, or raise LOOKALIKE_MAX_ARCHIVE_RATIO"
            )


@dataclass(frozen=True)
class Member:
    """A file of an archive; its stream can be read until the next member is asked for.

    Reading raises `ImageUnreadable` where only this member is damaged, and `InvalidArgument` or
    `TooLarge` where the archive is.
    """

    name: str
    size: int
    stream: Readable


@dataclass(frozen=True)
class Unfit:
    """A member that is not taken, and why."""

    name: str
    error: LookalikeError


def is_zip(stream: BinaryIO) -> bool:
    """Whether a stream begins like a zip archive."""
    stream.seek(0)
    return stream.read(4) in _ZIP_MAGIC


def looks_like_tar(beginning: bytes) -> bool:
    """Whether the first block of a stream is that of a tar archive."""
    return beginning[_TAR_MAGIC] == b"ustar"


def objection(name: str, size: int, limits: Limits) -> LookalikeError | None:
    """What is wrong with a member's name or size."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or parts[0][1:2] == ":":
        return Forbidden("its path leads out of the archive; pack it with relative paths")
    if size > limits.member_bytes:
        return TooLarge(
            f"the file has {size} bytes; at most {limits.member_bytes} are accepted: "
            "LOOKALIKE_MAX_UPLOAD_BYTES raises that"
        )
    return None


def nested(beginning: bytes) -> LookalikeError | None:
    """What is wrong with a member that begins like this: an archive is not opened in another."""
    if beginning.startswith(_ZIP_MAGIC) or is_compressed(beginning) or looks_like_tar(beginning):
        return UnsupportedMediaType("an archive within an archive; send it by itself")
    return None


def shown(name: str) -> str:
    """A member's name as the path of a file of a job."""
    return posixpath.normpath(name.replace("\0", "")).strip("/")[-1024:] or "unnamed"


def is_clutter(name: str) -> bool:
    """Whether a member is what macOS adds beside the files."""
    return name.startswith("__MACOSX/")
