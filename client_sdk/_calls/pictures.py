"""The types of pictures that a caller may pass, and the multipart parts that carry them."""

import inspect
import io
import operator
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, SupportsIndex, TypeGuard, cast

from client_sdk._calls import png
from client_sdk._calls.png import PillowImage, PixelArray, is_array, is_pillow
from client_sdk.errors import UsageError

_Raw = bytes | bytearray | memoryview
Picture = str | os.PathLike[str] | _Raw | tuple[str, bytes] | BinaryIO | PillowImage | PixelArray
"""A picture: the path of a file, bytes, `(name, bytes)`, a file object opened in binary mode, a
Pillow image, or a NumPy array.

The client opens and closes the file of a path. A seekable file object is sent from its beginning,
another one from its position; the client does not close it. Screenshots of Playwright and Selenium
(`get_screenshot_as_png`) are bytes. A Pillow image is sent upright, as a PNG. An array is uint8 of
shape `(H, W)`, `(H, W, 3)` or `(H, W, 4)`, in the order red, green, blue (and alpha); it is sent as
a PNG.
"""

Query = Picture | SupportsIndex
"""The query of a search: a picture, the URL of a picture that the service fetches, or the id of a
stored image."""

_URLS = ("http://", "https://")
_BASE64 = ("iVBORw0KGgo", "/9j/4A", "UklGR", "data:")
_LONGEST_PATH = 4096

MEDIA_TYPE = "application/octet-stream"  # the service detects the format from the bytes


class DiskFile:
    """A file that is open only while it is sent, so that one request can have a thousand files.

    It has the methods that httpx uses: they give the length in advance, and the content in pieces.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._file: BinaryIO | None = None
        if not path.is_file():
            raise UsageError(f"{str(path)!r} is not a file; `train` takes folders, `upload` files")

    @property
    def is_open(self) -> bool:
        """True while the file is open."""
        return self._file is not None

    def tell(self) -> int:
        """Return 0: httpx uses the position only to seek back to the beginning."""
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the length for `SEEK_END`; otherwise go back to the beginning."""
        if whence == os.SEEK_END:
            return self._size
        self.close()
        return offset

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; the file is closed when its end is reached."""
        if self._file is None:
            self._file = self._path.open("rb")
        piece = self._file.read(size)
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        """Close the file; the next read starts at the beginning."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a multipart body, opened or encoded only when it is sent."""

    field: str
    name: str
    content: Path | bytes | BinaryIO | Callable[[], bytes]

    @property
    def is_replayable(self) -> bool:
        """True if the part can be sent a second time."""
        if isinstance(self.content, Path | bytes) or callable(self.content):
            return True
        seekable = getattr(self.content, "seekable", None)
        return seekable is not None and bool(seekable())

    def encoded(self) -> "Part":
        """Return the same part with its picture encoded."""
        return replace(self, content=self.content()) if callable(self.content) else self

    def opened(self) -> tuple[str, IO[bytes] | bytes, str]:
        """Return the part as the tuple that httpx expects: name, content and media type."""
        if isinstance(self.content, Path):
            return self.name, cast("IO[bytes]", DiskFile(self.content)), MEDIA_TYPE
        content = self.content() if callable(self.content) else self.content
        return self.name, content, MEDIA_TYPE


def is_url(picture: object) -> TypeGuard[str]:
    """Return True if a query is a URL."""
    return isinstance(picture, str) and picture.lower().startswith(_URLS)


def stored_id(query: object) -> int | None:
    """Return the id if a query is an integer, also of NumPy; otherwise `None`."""
    if isinstance(query, bool) or is_array(query) or not isinstance(query, SupportsIndex):
        return None
    try:
        return operator.index(query)
    except TypeError:  # a tensor is an integer only if it has one integer element
        return None


def to_part(field: str, picture: Picture, number: int = 1) -> Part:
    """Return the part that carries a picture; `number` is in the name of an unnamed picture."""
    if isinstance(picture, str | os.PathLike):
        path = _path(picture)
        return Part(field, printable(path.name), path)
    if isinstance(picture, _Raw):
        return Part(field, f"upload-{number}", bytes(picture))
    if isinstance(picture, tuple):
        name, content = _pair(picture)
        return Part(field, printable(name), content)
    if is_pillow(picture):
        name = getattr(picture, "filename", "") or f"upload-{number}"
        return Part(field, printable(f"{Path(name).stem}.png"), partial(png.pillow_png, picture))
    if is_array(picture):
        return Part(field, f"upload-{number}.png", partial(png.array_png, picture))
    return _file_part(field, picture, number)


def to_parts(field: str, pictures: Picture | Iterable[Picture]) -> tuple[Part, ...]:
    """Return the parts that carry one or several pictures; `(name, bytes)` is one picture."""
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
    is_pair = isinstance(pictures, tuple) and [type(item) for item in pictures] == [str, bytes]
    is_file = isinstance(pictures, str | os.PathLike | _Raw) or hasattr(pictures, "read")
    is_image = is_array(pictures) or is_pillow(pictures)
    if isinstance(pictures, Iterable) and not (is_pair or is_file or is_image):
        return list(cast("Iterable[Picture]", pictures))
    return [cast("Picture", pictures)]


def printable(name: str) -> str:
    """Return a file name as valid Unicode, for JSON and forms, whatever bytes it has."""
    return os.fsencode(name).decode("utf-8", "replace")
