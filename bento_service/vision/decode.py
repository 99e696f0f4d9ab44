"""The one door for untrusted picture bytes: what comes out is upright RGB pixels or an error.

Pillow decodes. The format is told by content, never by name. JPEGs are scaled while they are
decoded (by their DCT blocks), never below twice the side that is asked for, which leaves the
descriptor within a cosine of 0.99998 of a full decode.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bento_service.errors import (
    ImageUnreadable,
    InvalidArgument,
    TooLarge,
    UnsupportedMediaType,
)

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
"""The formats that are read, by Pillow's names, and the media types that they are served as."""

_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
)
_BRANDS = (b"ftypavif", b"ftypavis")
# What Pillow was seen to raise for broken pictures, over its own corpus and mutations of it.
_PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112
_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDES_EXCHANGED = (5, 6, 7, 8)
# Where the encoded picture's upper left corner comes to lie at the right, or at the bottom.
_RIGHT_TO_LEFT = (2, 3, 6, 7)
_BOTTOM_TO_TOP = (3, 4, 7, 8)
_DEEP_MODES = ("I", "F")
_ROWS_AT_ONCE = 256
_WHITE = (255, 255, 255, 255)

# The cap below is on width times height. Pillow's own would warn first and refuse at twice that.
Image.MAX_IMAGE_PIXELS = None

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""
Region = tuple[int, int, int, int]
"""`(x, y, width, height)` in pixels of the upright picture."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture, ready to be described.

    Attributes:
        pixels: (S, S, 3) uint8, RGB.
        width: Of the whole upright picture, in pixels.
        height: Likewise.
        format: One of the keys of `MEDIA_TYPES`.
        warnings: What the user should know, such as that only the first frame counts.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    warnings: tuple[str, ...] = ()


def decode(
    source: bytes | BinaryIO,
    *,
    side: int,
    max_pixels: int,
    padding: Colour | None = None,
    region: Region | None = None,
) -> Picture:
    """Decode a picture and make it a square.

    Args:
        source: An encoded picture, or a file open for reading that can seek.
        side: S, side of the result in pixels.
        max_pixels: Most pixels of the encoded picture.
        padding: Keep the picture's shape and fill the square up with this colour; squash it to
            the square if none is given.
        region: Use only this part of the upright picture.

    Raises:
        UnsupportedMediaType: Not one of the supported formats.
        TooLarge: More than `max_pixels`.
        ImageUnreadable: Truncated or corrupt.
        InvalidArgument: `region` is empty or outside of the picture.
    """
    with _opened(source, max_pixels) as image:
        encoded_size = image.size
        notes = _warnings(image)
        drafted = None
        if region is None:
            target = _fitted(image.size, side) if padding else (side, side)
            drafted = image.draft(None, (2 * target[0], 2 * target[1]))
        image.load()
        orientation = _orientation(image)
        upright = _upright_rgb(image, orientation)
        sides_exchanged = orientation in _SIDES_EXCHANGED
        width, height = encoded_size[::-1] if sides_exchanged else encoded_size
        if region is not None:
            upright = upright.crop(_box(region, width, height))
        box: Box = (0, 0, *upright.size)
        if drafted is not None:
            box = _turned(drafted[1], upright.size, orientation)
        square = _padded(upright, box, side, padding) if padding else _squashed(upright, box, side)
        return Picture(np.asarray(square, dtype=np.uint8), width, height, _format(image), notes)


def thumbnail(source: bytes | BinaryIO, *, side: int, max_pixels: int) -> bytes:
    """A small upright WebP that fits in a square of `side` pixels, without metadata.

    Raises:
        UnsupportedMediaType, TooLarge, ImageUnreadable: As `decode`.
    """
    with _opened(source, max_pixels) as image:
        image.draft(None, (2 * side, 2 * side))
        image.load()
        upright = _upright_rgb(image, _orientation(image))
        upright.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
        encoded = io.BytesIO()
        # Left to itself Pillow 11 keeps the colour profile, of another colour model at times.
        upright.save(encoded, "WEBP", quality=80, icc_profile="")
        return encoded.getvalue()


def _turned(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """Where the picture lies in its upright pixels, when it lay in `box` of the encoded ones.

    A JPEG whose sides the scale does not divide is decoded into whole pixels that reach a little
    beyond it, at the right and at the bottom.

    Args:
        box: From the upper left corner.
        size: Of all the upright pixels.
        orientation: EXIF's.
    """
    width, height = (box[3], box[2]) if orientation in _SIDES_EXCHANGED else (box[2], box[3])
    left = size[0] - width if orientation in _RIGHT_TO_LEFT else 0.0
    top = size[1] - height if orientation in _BOTTOM_TO_TOP else 0.0
    return (left, top, left + width, top + height)


def _squashed(upright: Image.Image, box: Box, side: int) -> Image.Image:
    return upright.resize((side, side), Image.Resampling.BILINEAR, box)


def _padded(upright: Image.Image, box: Box, side: int, colour: Colour) -> Image.Image:
    """The whole picture in the middle of a square, its longer side `side`."""
    width, height = _fitted((box[2] - box[0], box[3] - box[1]), side)
    square = Image.new("RGB", (side, side), colour)
    fitted = upright.resize((width, height), Image.Resampling.BILINEAR, box)
    square.paste(fitted, ((side - width) // 2, (side - height) // 2))
    return square


def _fitted(size: tuple[float, float], side: int) -> tuple[int, int]:
    """A size of the same shape, at least 1, whose longer side is `side`."""
    longer = max(size)
    return max(1, round(size[0] * side / longer)), max(1, round(size[1] * side / longer))


@contextmanager
def _opened(source: bytes | BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """Open by content, check the declared size, and turn all that Pillow raises into our errors."""
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    beginning = stream.read(16)
    stream.seek(0)
    try:
        with Image.open(stream, formats=tuple(MEDIA_TYPES)) as image:
            _check_pixels(image.size, max_pixels)
            yield image
    except UnidentifiedImageError as error:
        if _begins_like_a_picture(beginning):
            raise ImageUnreadable(
                "the picture's header is damaged; send the file again from its original"
            ) from error
        raise UnsupportedMediaType(
            f"not a picture that can be read; send one of {', '.join(MEDIA_TYPES)}"
        ) from error
    except _PILLOW_ERRORS as error:
        raise ImageUnreadable(
            "the picture is truncated or corrupt; send the file again from its original"
        ) from error


def _begins_like_a_picture(beginning: bytes) -> bool:
    is_webp = beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP"
    return is_webp or beginning.startswith(_SIGNATURES) or beginning[4:12] in _BRANDS


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooLarge(
            f"the picture has {width} x {height} pixels; at most {max_pixels} are accepted: "
            "scale it down first"
        )


def _warnings(image: Image.Image) -> tuple[str, ...]:
    if getattr(image, "is_animated", False):
        return ("the picture has several frames; only the first is used",)
    return ()


def _format(image: Image.Image) -> str:
    # A JPEG that carries further pictures, as telephones write it.
    return "JPEG" if image.format == "MPO" else image.format or ""


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation of a loaded picture; where that cannot be read, it is upright."""
    try:
        given = image.getexif().get(_ORIENTATION, 1)
    except _PILLOW_ERRORS:
        return 1
    return given if given in _UPRIGHT_BY else 1


def _upright_rgb(image: Image.Image, orientation: int) -> Image.Image:
    upright = image.transpose(_UPRIGHT_BY[orientation]) if orientation != 1 else image
    if upright.mode in _DEEP_MODES or upright.mode.startswith("I;16"):
        return _scaled_to_8_bit(upright).convert("RGB")
    if upright.has_transparency_data or upright.mode in ("RGBa", "La"):
        layer = upright.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, _WHITE), layer).convert("RGB")
    return upright.convert("RGB")


def _scaled_to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit samples by their high byte's scale, wider ones by the range that they use.

    A plain conversion would clip everything above 255 to white.
    """
    samples = np.asarray(image)
    if not np.isfinite(samples).all():
        raise ImageUnreadable("the picture has samples that are not numbers")
    low, high = 0.0, 65535.0
    if image.mode in _DEEP_MODES and (
        samples.min() < 0 or samples.max() > high or image.mode == "F"
    ):
        low, high = float(samples.min()), float(samples.max())
    scaled = np.empty(samples.shape, np.uint8)
    factor = 255.0 / max(high - low, 1e-12)
    for at in range(0, len(samples), _ROWS_AT_ONCE):  # in double precision a picture is huge
        rows = slice(at, at + _ROWS_AT_ONCE)
        scaled[rows] = np.rint((samples[rows].astype(np.float64) - low) * factor)
    return Image.fromarray(scaled)


def _box(region: Region, width: int, height: int) -> tuple[int, int, int, int]:
    x, y, w, h = region
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise InvalidArgument(
            f"region {x},{y},{w},{h} does not lie in the picture of {width} x {height} pixels; "
            "give x,y,width,height in pixels of the upright picture"
        )
    return (x, y, x + w, y + h)
