"""The pictures that assertions take, and the boxes of a picture to ignore."""

import io
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from PIL import Image, ImageDraw, ImageOps, UnidentifiedImageError

from client_sdk._arguments import listed
from client_sdk.errors import UsageError

VisualPicture = str | os.PathLike[str] | bytes | tuple[str, bytes] | BinaryIO | Image.Image
"""A picture: a path, bytes such as a screenshot, `(name, bytes)`, a binary file or a PIL image."""

Box = tuple[float, float, float, float]
"""`(x, y, width, height)` in pixels of the picture, from its upper left corner."""

AnyBox = Iterable[float] | Mapping[str, float]
"""A box, or the mapping of Playwright's `bounding_box()` or Selenium's `rect`."""

MASK = (128, 128, 128)
"""The RGB colour of ignored boxes; grey has a weak edge to most surroundings."""


@dataclass(frozen=True)
class Shot:
    """One picture of an assertion.

    Attributes:
        name: The name of the picture in messages.
        data: The bytes of its file.
    """

    name: str
    data: bytes

    @cached_property
    def image(self) -> Image.Image:
        """The upright picture in RGB; transparent pixels are white.

        Raises:
            UsageError: If Pillow cannot read the bytes.
        """
        try:
            with Image.open(io.BytesIO(self.data)) as opened:
                upright = ImageOps.exif_transpose(opened)
                coloured = upright.convert("RGBA")
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise UsageError(f"{self.name} is no picture that can be read: {error}") from error
        ground = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(ground, coloured).convert("RGB")

    @property
    def size(self) -> str:
        """The width and height as text, such as `640 x 480`."""
        return "{} x {}".format(*self.image.size)


def read(picture: VisualPicture, name: str = "picture") -> Shot:
    """Read a picture.

    Args:
        picture: The picture. A file object is read from its beginning and stays open.
        name: The name of a picture that has none.

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
        return Shot(name, as_png(picture))
    if isinstance(picture, io.TextIOBase) or not hasattr(picture, "read"):
        raise UsageError(
            f"a picture cannot be a {type(picture).__name__}; give a path, bytes, (name, bytes), "
            "a file opened in binary mode or a PIL image"
        )
    if picture.seekable():
        picture.seek(0)
    named = cast("object", getattr(picture, "name", None))
    return Shot(Path(named).name if isinstance(named, str) else name, picture.read())


def as_png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    kept = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else image.convert("RGB")
    kept.save(buffer, "PNG")
    return buffer.getvalue()


def boxes(given: Iterable[AnyBox]) -> tuple[Box, ...]:
    """Return the checked boxes as tuples.

    Raises:
        UsageError: If it is not a list, or one of its items is not a box or has no area.
    """
    several = listed("ignore", given, "boxes, (x, y, width, height) each")
    return tuple(_box(cast("AnyBox", one)) for one in several)


def masked(shot: Shot, ignored: tuple[Box, ...]) -> Shot:
    """Return a picture with boxes painted over; without boxes, the same picture."""
    if not ignored:
        return shot
    painted = shot.image.copy()
    draw = ImageDraw.Draw(painted)
    for x, y, width, height in ignored:
        right, bottom = math.ceil(x + width) - 1, math.ceil(y + height) - 1
        draw.rectangle((math.floor(x), math.floor(y), right, bottom), fill=MASK)
    return Shot(shot.name, as_png(painted))


def _box(given: AnyBox) -> Box:
    try:
        if isinstance(given, Mapping):
            sides = cast("Mapping[str, float]", given)
            numbers = [float(sides[name]) for name in ("x", "y", "width", "height")]
        else:
            numbers = [float(number) for number in given]
        x, y, width, height = numbers
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{given!r} is no box; give (x, y, width, height) in pixels") from error
    if not (math.isfinite(x + y) and 0 < width < math.inf and 0 < height < math.inf):
        raise UsageError(f"{given!r} is a box without an area; give (x, y, width, height)")
    return x, y, width, height
