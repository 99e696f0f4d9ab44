"""Decoding in the current process: pictures to squares for the network, and to thumbnails.

The service decodes untrusted pictures in child processes; see `bento_service.pictures.decoders`.
JPEGs are scaled during decoding (by their DCT blocks), never below twice the requested side. The
cosine between the descriptor and that of a full decode is at least 0.99998.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from PIL import Image

from bento_service.errors import InvalidArgument
from bento_service.pictures.picture import Picture
from bento_service.pictures.rejections import REJECTIONS
from client_sdk.decoding.colour_profile import (
    BROKEN_PROFILE,
    BrokenProfile,
    in_srgb,
    profile_of,
)
from client_sdk.decoding.errors import DecodingError
from client_sdk.decoding.formats import Colour, Region
from client_sdk.decoding.upright import (
    format_of,
    opened,
    orientation_of,
    upright_rgb,
    warnings_of,
)

_SIDES_EXCHANGED = (5, 6, 7, 8)
# EXIF orientations that move the encoded upper left corner to the right, or to the bottom.
_RIGHT_TO_LEFT = (2, 3, 6, 7)
_BOTTOM_TO_TOP = (3, 4, 7, 8)

# Regions of large pictures are cropped; `opened` has checked the number of pixels.
Image.MAX_IMAGE_PIXELS = None

Box = tuple[float, float, float, float]
"""The left, top, right and bottom edges, in pixels."""


def decode(
    source: bytes | BinaryIO,
    *,
    side: int,
    max_pixels: int,
    max_jpeg_pixels: int | None = None,
    padding: Colour | None = None,
    region: Region | None = None,
) -> Picture:
    """Decode a picture and make it a square.

    Args:
        source: An encoded picture, or a seekable file open for reading.
        side: S, the side of the result, in pixels.
        max_pixels: Most pixels of the encoded picture.
        max_jpeg_pixels: Most pixels of a JPEG; `max_pixels` if `None`.
        padding: The colour that fills the square around a picture of unchanged shape; if `None`,
            the picture is squashed to the square.
        region: The part of the upright picture to use; all of it if `None`.

    Raises:
        UnsupportedMediaType, TooLarge, ImageUnreadable, ImageTooExpensive: See `Decoders`.
        InvalidArgument: `region` is empty or not inside the picture.
    """
    with _opened(source, max_pixels=max_pixels, max_jpeg_pixels=max_jpeg_pixels) as image:
        encoded_size = image.size
        notes = warnings_of(image)
        drafted = None
        if region is None:
            target = _fitted(image.size, side) if padding else (side, side)
            drafted = image.draft(None, (2 * target[0], 2 * target[1]))
        image.load()
        orientation = orientation_of(image)
        upright, profile = upright_rgb(image, orientation), profile_of(image)
        sides_exchanged = orientation in _SIDES_EXCHANGED
        width, height = encoded_size[::-1] if sides_exchanged else encoded_size
        if region is not None:
            upright = upright.crop(_box(region, width, height))
        box: Box = (0, 0, *upright.size)
        if drafted is not None:
            box = _turned(drafted[1], upright.size, orientation)
        target = _fitted((box[2] - box[0], box[3] - box[1]), side) if padding else (side, side)
        made = upright.resize(target, Image.Resampling.BILINEAR, box)
        try:
            made = in_srgb(made, profile)  # after resizing, when few pixels are left
        except BrokenProfile:
            notes += (BROKEN_PROFILE,)
        made = _padded(made, side, padding) if padding else made
        samples = bytearray(made.tobytes())
        return Picture(samples, side, width, height, format_of(image), notes)


def thumbnail(
    source: bytes | BinaryIO, *, side: int, max_pixels: int, max_jpeg_pixels: int | None = None
) -> bytes:
    """Return a small upright WebP that fits in a square of `side` pixels, without metadata.

    Raises:
        UnsupportedMediaType, TooLarge, ImageUnreadable, ImageTooExpensive: See `Decoders`.
    """
    with _opened(source, max_pixels=max_pixels, max_jpeg_pixels=max_jpeg_pixels) as image:
        image.draft(None, (2 * side, 2 * side))
        image.load()
        upright = upright_rgb(image, orientation_of(image))
        upright.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
        with suppress(BrokenProfile):
            upright = in_srgb(upright, profile_of(image))
        encoded = io.BytesIO()
        # Pillow 11 would keep the profile, sometimes that of another colour model.
        upright.save(encoded, "WEBP", quality=80, icc_profile="")
        return encoded.getvalue()


@contextmanager
def _opened(
    source: bytes | BinaryIO, *, max_pixels: int, max_jpeg_pixels: int | None
) -> Iterator[Image.Image]:
    """Open a picture with the errors of the service; see `client_sdk.decoding.upright.opened`."""
    try:
        with opened(source, max_pixels=max_pixels, max_jpeg_pixels=max_jpeg_pixels) as image:
            yield image
    except DecodingError as error:
        raise REJECTIONS[error.code](str(error)) from error


def _turned(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """Return the picture's box in the upright pixels, given its box in the encoded ones.

    If the scale does not divide a JPEG's sides, its decoded pixels extend a little beyond the
    picture, at the right and at the bottom. `size` is that of all upright pixels.
    """
    width, height = (box[3], box[2]) if orientation in _SIDES_EXCHANGED else (box[2], box[3])
    left = size[0] - width if orientation in _RIGHT_TO_LEFT else 0.0
    top = size[1] - height if orientation in _BOTTOM_TO_TOP else 0.0
    return (left, top, left + width, top + height)


def _padded(fitted: Image.Image, side: int, colour: Colour) -> Image.Image:
    """Return a square of this colour with a picture, whose longer side is `side`, in the middle."""
    square = Image.new("RGB", (side, side), colour)
    square.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
    return square


def _fitted(size: tuple[float, float], side: int) -> tuple[int, int]:
    """Return a size of the same shape whose longer side is `side` and shorter side at least 1."""
    longer = max(size)
    return max(1, round(size[0] * side / longer)), max(1, round(size[1] * side / longer))


def _box(region: Region, width: int, height: int) -> tuple[int, int, int, int]:
    x, y, w, h = region
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise InvalidArgument(
            f"region {x},{y},{w},{h} does not lie in the picture of {width} x {height} pixels; "
            "give x,y,width,height in pixels of the upright picture"
        )
    return (x, y, x + w, y + h)
