"""What a caller may hand over as a picture, and how it becomes a part of a multipart body."""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from client_sdk.errors import UsageError

Picture = str | os.PathLike[str] | bytes | tuple[str, bytes] | BinaryIO
"""A picture: the path of a file, bytes, `(name, bytes)` or a file object opened in binary mode.

A path is opened and closed by the client. A file object is sent from its beginning, where it has
one, and stays open: it belongs to the caller.
"""

MEDIA_TYPE = "application/octet-stream"  # the service tells a format by its content


class DiskFile:
    """A file that is open only while its bytes travel, so that a thousand fit in one request.

    Has what httpx needs of a file: its length ahead of time, and pieces of its content.

    Raises:
        OSError: If there is no such file.
        UsageError: If the path is not a file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._file: BinaryIO | None = None
        if not path.is_file():
            raise UsageError(f"{str(path)!r} is not a file; `train` takes folders, `upload` files")

    @property
    def is_open(self) -> bool:
        """Whether the file is open at this moment."""
        return self._file is not None

    def tell(self) -> int:
        """Always the beginning: httpx asks only to come back to it."""
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Tell the length, with `SEEK_END`, or go back to the beginning."""
        if whence == os.SEEK_END:
            return self._size
        self.close()
        return offset

    def read(self, size: int = -1) -> bytes:
        """The next piece of at most `size` bytes; the empty one at the end closes the file."""
        if self._file is None:
            self._file = self._path.open("rb")
        piece = self._file.read(size)
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        """Close the file; reading again would start from the beginning."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a multipart body, not opened yet."""

    field: str
    name: str
    content: Path | bytes | BinaryIO

    def opened(self) -> tuple[str, IO[bytes] | bytes, str]:
        """The part as httpx takes it.

        Raises:
            OSError: If the file cannot be read.
            UsageError: If the path is not a file.
        """
        if isinstance(self.content, Path):
            return self.name, cast("IO[bytes]", DiskFile(self.content)), MEDIA_TYPE
        return self.name, self.content, MEDIA_TYPE


def to_part(field: str, picture: Picture, number: int = 1) -> Part:
    """The part that carries a picture.

    Args:
        field: Name of the form field.
        picture: The picture.
        number: Its place among those of one request, from 1; names a picture without a name.

    Raises:
        UsageError: If it is nothing that a picture may be.
    """
    if isinstance(picture, str | os.PathLike):
        path = Path(picture)
        return Part(field, _printable(path.name), path)
    if isinstance(picture, bytes):
        return Part(field, f"upload-{number}", picture)
    if isinstance(picture, tuple):
        return Part(field, _printable(picture[0]), picture[1])
    if isinstance(picture, io.TextIOBase) or not hasattr(picture, "read"):
        raise UsageError(
            f"a picture cannot be a {type(picture).__name__}; give a path, bytes, (name, bytes) "
            "or a file opened in binary mode"
        )
    name = getattr(picture, "name", None)
    named = Path(name).name if isinstance(name, str) else f"upload-{number}"
    return Part(field, _printable(named), picture)


def to_parts(field: str, pictures: Picture | Iterable[Picture]) -> tuple[Part, ...]:
    """The parts that carry one picture or many. A pair of a string and bytes is one picture.

    Raises:
        UsageError: If there is none, or one of them is nothing that a picture may be.
    """
    parts = tuple(
        to_part(field, picture, number) for number, picture in enumerate(_listed(pictures), 1)
    )
    if not parts:
        raise UsageError("no picture given; give at least one")
    return parts


def _listed(pictures: Picture | Iterable[Picture]) -> list[Picture]:
    if isinstance(pictures, str | os.PathLike | bytes) or hasattr(pictures, "read"):
        return [cast("Picture", pictures)]
    if isinstance(pictures, tuple) and [type(item) for item in pictures] == [str, bytes]:
        return [cast("Picture", pictures)]
    if isinstance(pictures, Iterable):
        return list(pictures)
    return [pictures]


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")
