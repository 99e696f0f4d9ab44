"""The types of pictures that a caller may pass, and the multipart parts that carry them."""

import inspect
import io
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, SupportsIndex, TypeGuard, cast

from client_sdk._arguments import whole_number
from client_sdk._calls import png
from client_sdk._calls.png import PillowImage, PixelArray, is_array, is_pillow
from client_sdk.errors import FileUnreadable, LookalikeError, UsageError

_Raw = bytes | bytearray | memoryview
Picture = str | os.PathLike[str] | _Raw | tuple[str, bytes] | BinaryIO | PillowImage | PixelArray
"""A picture: the path of a file, bytes, `(name, bytes)`, a file object opened in binary mode, a
Pillow image, or a NumPy array.

A seekable file object is sent from its beginning, another one from its position; the client does
not close it. Screenshots of Playwright and Selenium (`get_screenshot_as_png`) are bytes. A Pillow
image is sent upright, as a PNG. An array is uint8 of shape `(H, W)`, `(H, W, 3)` or `(H, W, 4)`, in
the order red, green, blue, alpha; it is sent as a PNG.
"""

Query = Picture | SupportsIndex
"""The query of a search: a picture, the URL of a picture that the service fetches, or the id of a
stored image."""

_URLS = ("http://", "https://")
_BASE64 = ("iVBORw0KGgo", "/9j/4A", "UklGR", "data:")  # PNG, JPEG, WebP
MEDIA_TYPE = "application/octet-stream"  # the service detects the format from the bytes


@contextmanager
def reading(name: str) -> Generator[None]:
    """Turn the errors of a local file or picture within the block into ours."""
    try:
        yield
    except (LookalikeError, io.UnsupportedOperation):
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileUnreadable(error.errno or 0, reason, printable(name)) from error
    except Exception as error:  # decoders and file objects of callers raise anything
        raise UsageError(f"{printable(name)!r} cannot be read: {error}") from error


class DiskFile:
    """A file that is open only while it is sent, so that one request can have a thousand files.

    It has the methods by which httpx gets the length and then the content in pieces.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        with reading(str(path)):
            self._size = path.stat().st_size
            is_file = path.is_file()
        if not is_file:
            raise UsageError(f"{str(path)!r} is not a file; `train` takes folders, `upload` files")

    def tell(self) -> int:
        return 0  # httpx seeks back to this position after it has read the length

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the length for `SEEK_END`; otherwise go back to the beginning."""
        if whence == os.SEEK_END:
            return self._size
        self.close()
        return offset

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes; close the file at its end."""
        with reading(str(self._path)):
            self._file = self._file or self._path.open("rb")
            piece = self._file.read(size)
        if not piece:
            self.close()
        return piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class CallerFile:
    """A caller's open file, which is not closed; errors of reading it become ours."""

    name: str
    file: Any

    def tell(self) -> int:
        with reading(self.name):
            return int(self.file.tell())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if not _has(self.file, "seekable"):
            raise io.UnsupportedOperation
        with reading(self.name):
            return int(self.file.seek(offset, whence))

    def read(self, size: int = -1) -> bytes:
        with reading(self.name):
            piece: Any = self.file.read(size)
        if isinstance(piece, _Raw):
            return bytes(cast("bytes", piece))
        kind = type(piece).__name__
        raise UsageError(f"{self.name!r} returns {kind} instead of bytes; open it in binary mode")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a multipart body, opened or encoded only when it is sent."""

    field: str
    name: str
    content: Path | bytes | BinaryIO | Callable[[], bytes]

    @property
    def is_replayable(self) -> bool:
        """True if the part can be sent a second time."""
        is_fixed = isinstance(self.content, Path | bytes) or callable(self.content)
        return is_fixed or _has(self.content, "seekable")

    def encoded(self) -> "Part":
        """Return the same part with its picture encoded."""
        if not callable(self.content):
            return self
        with reading(self.name):
            return replace(self, content=self.content())

    def opened(self) -> tuple[str, IO[bytes] | bytes, str]:
        """Return the part as the tuple that httpx expects: name, content and media type."""
        content: Any = self.encoded().content
        if isinstance(content, Path):
            content = DiskFile(content)
        elif not isinstance(content, bytes):
            content = CallerFile(self.name, content)
        return self.name, content, MEDIA_TYPE


def _has(file: Any, ability: str) -> bool:
    """Return True if a file object says that it is `seekable` or `readable`."""
    with reading(str(getattr(file, "name", "the picture"))):
        method = getattr(file, ability, None)
        return method is not None and bool(method())


def is_url(picture: object) -> TypeGuard[str]:
    """Return True if a query is a URL."""
    return isinstance(picture, str) and picture.lower().startswith(_URLS)


def stored_id(query: object) -> int | None:
    """Return the id if a query is an integer, also of NumPy; otherwise `None`."""
    return None if is_array(query) else whole_number(query)


def to_part(field: str, picture: Picture, number: int = 1) -> Part:
    """Return the part that carries a picture; `number` is in the name of an unnamed picture."""
    if isinstance(picture, str | os.PathLike):
        path = _path(picture)
        return Part(field, printable(path.name), path)
    if isinstance(picture, _Raw):
        return Part(field, f"upload-{number}", bytes(picture))
    if _is_pair(picture):
        return Part(field, printable(picture[0]), picture[1])
    if isinstance(picture, tuple):
        kinds = ", ".join(type(item).__name__ for item in picture)
        raise UsageError(f"a picture cannot be a tuple of ({kinds}); give (name, bytes)")
    if is_pillow(picture):
        name = getattr(picture, "filename", "") or f"upload-{number}"
        return Part(field, printable(f"{Path(name).stem}.png"), partial(png.pillow_png, picture))
    if is_array(picture):
        return Part(field, f"upload-{number}.png", partial(png.array_png, picture))
    return _file_part(field, picture, number)


def to_parts(field: str, pictures: Picture | Iterable[Picture]) -> tuple[Part, ...]:
    """Return the parts that carry one or several pictures; `(name, bytes)` is one picture."""
    given = _listed(pictures)
    if not given:
        raise UsageError("no picture given; give at least one")
    return tuple(to_part(field, picture, number) for number, picture in enumerate(given, 1))


def _path(picture: str | os.PathLike[str]) -> Path:
    with reading("the path"):
        text = os.fspath(picture)
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"a picture cannot be a path of {type(text).__name__}; give a text")
    if isinstance(picture, str):
        if is_url(picture):
            raise UsageError(
                f"{picture[:200]!r} is a URL, which only a query may be: download the picture, and "
                "give its bytes"
            )
        is_base64 = picture.startswith(_BASE64) and len(picture) > 60
        if is_base64 and not (len(picture) < 4096 and os.path.exists(picture)):  # noqa: PTH110
            raise UsageError(
                "a picture cannot be base64 text; give base64.b64decode(text), or in Selenium "
                "get_screenshot_as_png() or screenshot_as_png"
            )
    if "\0" in text:
        raise UsageError(
            "a path cannot contain a NUL character; give the bytes of a picture as bytes"
        )
    return Path(text)


def _is_pair(picture: object) -> TypeGuard[tuple[str, bytes]]:
    is_tuple = isinstance(picture, tuple)
    return is_tuple and [type(item) for item in cast("tuple[object, ...]", picture)] == [str, bytes]


def _file_part(field: str, picture: Any, number: int) -> Part:
    if stored_id(picture) is not None:
        raise UsageError(
            "a picture cannot be a number; only a query can be the id of a stored image. Give the "
            "bytes, such as client.image(id).content()"
        )
    if isinstance(picture, io.TextIOBase) or not hasattr(picture, "read"):
        raise UsageError(
            f"a picture cannot be of type {type(picture).__name__}; give a path, bytes, "
            "(name, bytes), a file opened in binary mode, a Pillow image, or a NumPy array"
        )
    if inspect.iscoroutinefunction(picture.read):
        raise UsageError(
            "a picture cannot be an asynchronous file; give its bytes, await file.read()"
        )
    if getattr(picture, "closed", False) or (
        hasattr(picture, "readable") and not _has(picture, "readable")
    ):
        raise UsageError(f"the file {picture!r:.80} is closed, or not open for reading")
    name = getattr(picture, "name", None)
    named = Path(name).name if isinstance(name, str) else f"upload-{number}"
    return Part(field, printable(named), picture)


def _listed(pictures: Picture | Iterable[Picture]) -> list[Picture]:
    is_file = isinstance(pictures, str | os.PathLike | _Raw) or hasattr(pictures, "read")
    is_image = is_array(pictures) or is_pillow(pictures)
    if isinstance(pictures, Iterable) and not (_is_pair(pictures) or is_file or is_image):
        return list(cast("Iterable[Picture]", pictures))
    return [cast("Picture", pictures)]


def printable(name: str) -> str:
    """Return a file name as valid Unicode, for JSON and forms, whatever bytes it has."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        encoded = name.encode("utf-8", "replace")
    return encoded.decode("utf-8", "replace")
