"""Decoding in the current process, for trusted pictures: model builds and benchmarks.

The service decodes untrusted pictures in child processes; see `bento_service.pictures.decoders`.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import BinaryIO

from bento_service.pictures.formats import Colour, Region
from bento_service.pictures.picture import Picture, Snapshot, Source, pixels_of
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
    """A `Decoder` without child processes, and so without limits of time and memory."""

    max_pixels: int
    max_jpeg_pixels: int | None = None

    def snapshot(
        self, source: bytes | BinaryIO, *, max_bytes: int | None = None
    ) -> AbstractContextManager[Snapshot]:
        """See `Decoder`."""
        if isinstance(source, bytes):
            return nullcontext(Snapshot(source[:max_bytes]))
        source.seek(0)
        return nullcontext(Snapshot(source.read(-1 if max_bytes is None else max_bytes)))

    def decode(
        self,
        source: Source,
        *,
        side: int,
        padding: Colour | None = None,
        region: Region | None = None,
        sender: str | None = None,
    ) -> Picture:
        """See `Decoder`."""
        return decode(
            _plain(source),
            side=side,
            max_pixels=self.max_pixels,
            max_jpeg_pixels=self.max_jpeg_pixels,
            padding=padding,
            region=region,
        )

    def thumbnail(
        self,
        source: Source,
        *,
        side: int,
        sender: str | None = None,
    ) -> bytes:
        """See `Decoder`."""
        return thumbnail(
            _plain(source),
            side=side,
            max_pixels=self.max_pixels,
            max_jpeg_pixels=self.max_jpeg_pixels,
        )


def _plain(source: Source) -> bytes | BinaryIO:
    return bytes(source.data) if isinstance(source, Snapshot) else source
