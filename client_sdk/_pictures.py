"""What a caller may hand over as a picture, and how it becomes a part of a multipart body."""

import inspect
import io
import operator
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, SupportsIndex, TypeGuard, cast

from client_sdk._encoding import (
    PillowImage,
    PixelArray,
    array_png,
    is_array,
    is_pillow,
    pillow_png,
)
from client_sdk.errors import UsageError

Picture = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | tuple[str, bytes]
    | BinaryIO
    | PillowImage
    | PixelArray
)
"""A picture: the path of a file, bytes, `(name, bytes)`, a file object opened in binary mode, an
image of Pillow, or an array of NumPy.

A path is opened and closed by the client. A file object is sent from its beginning, where it has
one, and stays open: it belongs to the caller. Screenshots of Playwright and Selenium
(`get_screenshot_as_png`) are bytes. An image of Pillow is sent upright, as a PNG. An array is
uint8, `(H, W)`, `(H, W, 3)` or `(H, W, 4)`, in the order red, green, blue, and sent as a PNG too.
"""

Query = Picture | SupportsIndex
"""What a search begins with: a picture, `http://` or `https://` and where the service finds one, or
the id of a stored image."""

_URLS = ("http://", "https://")
_BASE64 = ("iVBORw0KGgo", "/9j/4A", "UklGR", "data:")
_LONGEST_PATH = 4096

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
    """One file of a multipart body, not opened or encoded yet."""

    field: str
    name: str
    content: Path | bytes | BinaryIO | Callable[[], bytes]

    @property
    def is_replayable(self) -> bool:
        """Whether it can be sent a second time."""
        if isinstance(self.content, Path | bytes) or callable(self.content):
            return True
        seekable = getattr(self.content, "seekable", None)
        return seekable is not None and bool(seekable())

    @property
    def waits_for_encoding(self) -> bool:
        """Whether work is to be done before it can be sent."""
        return callable(self.content)

    def encoded(self) -> "Part":
        """The same part, ready to be sent.

        Raises:
            UsageError: If the picture cannot be encoded.
            OSError: If its file cannot be read.
        """
        return replace(self, content=self.content()) if callable(self.content) else self

    def opened(self) -> tuple[str, IO[bytes] | bytes, str]:
        """The part as httpx takes it.

        Raises:
            OSError: If the file cannot be read.
            UsageError: If the path is not a file, or the picture cannot be encoded.
        """
        if isinstance(self.content, Path):
            return self.name, cast("IO[bytes]", DiskFile(self.content)), MEDIA_TYPE
        if callable(self.content):
            return self.name, self.content(), MEDIA_TYPE
        return self.name, self.content, MEDIA_TYPE


def is_url(picture: object) -> TypeGuard[str]:
    """Whether it says where the service finds a picture."""
    return isinstance(picture, str) and picture.lower().startswith(_URLS)


def stored_id(query: object) -> int | None:
    """The id of a stored image, if that is what it is; also a whole number of NumPy."""
    if isinstance(query, bool) or is_array(query) or not isinstance(query, SupportsIndex):
        return None
    try:
        return operator.index(query)
    except TypeError:  # a tensor, of which only a single whole number is one
        return None


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
        path = _path(picture)
        return Part(field, printable(path.name), path)
    if isinstance(picture, bytes | bytearray | memoryview):
        return Part(field, f"upload-{number}", bytes(picture))
    if isinstance(picture, tuple):
        name, content = _pair(picture)
        return Part(field, printable(name), content)
    if is_pillow(picture):
        name = getattr(picture, "filename", "") or f"upload-{number}"
        return Part(field, printable(f"{Path(name).stem}.png"), partial(pillow_png, picture))
    if is_array(picture):
        return Part(field, f"upload-{number}.png", partial(array_png, picture))
    return _file_part(field, picture, number)


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


def _path(picture: str | os.PathLike[str]) -> Path:
    if isinstance(picture, str):
        if is_url(picture):
            raise UsageError(
                f"{picture[:200]!r} is a URL; `search` takes one, and has the service fetch it. "
                "For everything else fetch it yourself and give the bytes"
            )
        if picture.startswith(_BASE64) and len(picture) > 60 and not _is_there(picture):
            raise UsageError(
                "a picture cannot be base64 text; give base64.b64decode(text), with Selenium "
                "get_screenshot_as_png() or screenshot_as_png"
            )
    if "\0" in os.fspath(picture):
        raise UsageError("a picture cannot be text with a NUL; give its bytes, or its path")
    return Path(picture)


def _is_there(text: str) -> bool:
    return len(text) < _LONGEST_PATH and os.path.exists(text)  # noqa: PTH110 - never raises


def _pair(picture: tuple[Any, ...]) -> tuple[str, bytes]:
    if [type(item) for item in picture] != [str, bytes]:
        kinds = ", ".join(type(item).__name__ for item in picture)
        raise UsageError(f"a picture cannot be a tuple of ({kinds}); give (name, bytes)")
    return cast("tuple[str, bytes]", picture)


def _file_part(field: str, picture: Any, number: int) -> Part:
    if stored_id(picture) is not None:
        raise UsageError(
            f"a picture cannot be a number; {picture} is the id of a stored image, which only a "
            "query may be. Give the bytes, such as client.content(...)"
        )
    if isinstance(picture, io.TextIOBase) or not hasattr(picture, "read"):
        raise UsageError(
            f"a picture cannot be a {type(picture).__name__}; give a path, bytes, (name, bytes), "
            "a file opened in binary mode, an image of Pillow, or an array of NumPy"
        )
    if inspect.iscoroutinefunction(picture.read):
        raise UsageError(
            "a picture cannot be a file that is read with await; give the bytes, await file.read()"
        )
    name = getattr(picture, "name", None)
    named = Path(name).name if isinstance(name, str) else f"upload-{number}"
    return Part(field, printable(named), picture)


def _listed(pictures: Picture | Iterable[Picture]) -> list[Picture]:
    single = (str, os.PathLike, bytes, bytearray, memoryview)
    if isinstance(pictures, single) or hasattr(pictures, "read") or is_array(pictures):
        return [cast("Picture", pictures)]
    if isinstance(pictures, tuple) and [type(item) for item in pictures] == [str, bytes]:
        return [cast("Picture", pictures)]
    if isinstance(pictures, Iterable) and not is_pillow(pictures):
        return list(pictures)
    return [cast("Picture", pictures)]


def printable(name: str) -> str:
    """A name as text that JSON and a form can carry, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "replace")
