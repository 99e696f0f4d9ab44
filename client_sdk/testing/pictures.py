"""The pictures that assertions take."""

import io
import math
import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image, ImageDraw

from client_sdk._calls.png import pillow_png
from client_sdk.decoding.errors import DecodingError
from client_sdk.decoding.formats import MAX_JPEG_PIXELS, MAX_PIXELS
from client_sdk.decoding.upright import opened, upright_rgba
from client_sdk.errors import UsageError
from client_sdk.testing.playwright import Shootable, shoot

VisualPicture = (
    str | os.PathLike[str] | bytes | tuple[str, bytes] | BinaryIO | Image.Image | Shootable
)
"""A picture: a path, bytes such as a screenshot, `(name, bytes)`, a binary file, a PIL image, or a
`Page` or `Locator` of Playwright, which takes a screenshot."""

Box = tuple[float, float, float, float]
"""`(x, y, width, height)` in pixels of the picture, from its upper left corner."""

MASK = (128, 128, 128, 255)
"""The colour of ignored boxes; grey has a weak edge to most surroundings."""


@dataclass(frozen=True)
class Shot:
    """One picture of an assertion.

    Attributes:
        name: The name of the picture in messages.
        data: The bytes of its file.
        scale: The device scale factor, if it was taken from a page of Playwright.
        start: Its left and upper edge in the window, in CSS pixels.
        is_taken: True if it was taken from a page of Playwright.
    """

    name: str
    data: bytes
    scale: float = 1.0
    start: tuple[float, float] = (0.0, 0.0)
    is_taken: bool = False

    @cached_property
    def image(self) -> Image.Image:
        """The upright picture in RGBA and sRGB, decoded as the service does.

        Raises:
            UsageError: If it cannot be decoded.
        """
        try:
            with opened(self.data, max_pixels=MAX_PIXELS, max_jpeg_pixels=MAX_JPEG_PIXELS) as image:
                return upright_rgba(image)
        except DecodingError as error:
            raise UsageError(f"{self.name}: {error}") from error

    @property
    def size(self) -> str:
        """The width and height as text, such as `640 x 480`."""
        return "{} x {}".format(*self.image.size)


def read(picture: VisualPicture, name: str = "picture") -> Shot:
    """Read a picture; `name` is that of a picture without one.

    Raises:
        OSError: If a file cannot be read.
        UsageError: If it is not a `VisualPicture`.
    """
    match picture:
        case (str() as given, bytes() as data):
            return Shot(given, data)
        case _:
            pass
    if isinstance(picture, str | os.PathLike):
        path = Path(picture)
        return Shot(path.name, path.read_bytes())
    if isinstance(picture, bytes):
        return Shot(name, picture)
    if isinstance(picture, Image.Image):
        # The file may become a baseline, so it is compressed better than one that is only sent.
        return Shot(name, pillow_png(picture, zlib.Z_DEFAULT_COMPRESSION))
    if isinstance(picture, Shootable):
        data, scale, start = shoot(picture)
        return Shot(name, data, scale, start, is_taken=True)
    if isinstance(picture, io.TextIOBase) or not hasattr(picture, "read"):
        raise UsageError(
            f"a picture cannot be of type {type(picture).__name__}; give a path, bytes, "
            "(name, bytes), a file opened in binary mode, a PIL image, or a page or locator of "
            "Playwright"
        )
    if picture.seekable():
        picture.seek(0)
    named = cast("object", getattr(picture, "name", None))
    return Shot(Path(named).name if isinstance(named, str) else name, picture.read())


def as_png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def masked(shot: Shot, masks: tuple[Box, ...], size: tuple[int, int] | None = None) -> Shot:
    """Return a picture with boxes painted over; the boxes are in pixels of a picture of `size`.

    Raises:
        UsageError: If a box lies outside of the picture.
    """
    if not masks:
        return shot
    painted = shot.image.copy()
    draw = ImageDraw.Draw(painted)
    across, down = (
        mine / its for mine, its in zip(painted.size, size or painted.size, strict=True)
    )
    for x, y, width, height in masks:
        left, top = math.floor(x * across), math.floor(y * down)
        right, bottom = math.ceil((x + width) * across) - 1, math.ceil((y + height) * down) - 1
        if left >= painted.width or top >= painted.height or right < 0 or bottom < 0:
            raise UsageError(
                f"ignore: the box ({x:g}, {y:g}, {width:g}, {height:g}) lies outside of "
                f"{shot.name}, which has {shot.size} pixels"
            )
        draw.rectangle((left, top, right, bottom), fill=MASK)
    return Shot(shot.name, as_png(painted))
