"""Decoding in the process itself, for whom the pictures are its own: builds and measurements.

The service decodes what callers send in child processes; see `bento_service.pictures.decoders`.
"""

from dataclasses import dataclass
from typing import BinaryIO

from bento_service.pictures.formats import Colour, Region
from bento_service.pictures.picture import Picture, pixels_of
from bento_service.pictures.square import square, thumbnail


def decode(
    source: bytes | BinaryIO,
    *,
    side: int,
    max_pixels: int,
    max_jpeg_pixels: int | None = None,
    padding: Colour | None = None,
    region: Region | None = None,
) -> Picture:
    """Decode a picture and make it a square; see `square`."""
    made = square(
        source,
        side=side,
        max_pixels=max_pixels,
        max_jpeg_pixels=max_jpeg_pixels,
        padding=padding,
        region=region,
    )
    pixels = pixels_of(bytearray(made.samples), side)
    return Picture(pixels, made.width, made.height, made.format, made.warnings)


@dataclass(frozen=True)
class LocalDecoder:
    """A `Decoder` without processes, and so without limits of time and memory."""

    max_pixels: int
    max_jpeg_pixels: int | None = None

    def decode(
        self,
        source: bytes | BinaryIO,
        *,
        side: int,
        padding: Colour | None = None,
        region: Region | None = None,
        sender: str | None = None,
    ) -> Picture:
        """See `Decoder`."""
        return decode(
            source,
            side=side,
            max_pixels=self.max_pixels,
            max_jpeg_pixels=self.max_jpeg_pixels,
            padding=padding,
            region=region,
        )

    def thumbnail(
        self,
        source: bytes | BinaryIO,
        *,
        side: int,
        sender: str | None = None,
    ) -> bytes:
        """See `Decoder`."""
        return thumbnail(
            source, side=side, max_pixels=self.max_pixels, max_jpeg_pixels=self.max_jpeg_pixels
        )
