"""Decoding in the current process, for trusted pictures: model builds and benchmarks.

The service decodes untrusted pictures in child processes; see `bento_service.pictures.decoders`.
"""

from typing import BinaryIO

from bento_service.pictures.picture import Picture, pixels_of
from bento_service.pictures.square import square
from client_sdk.decoding.formats import Colour, Region


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
