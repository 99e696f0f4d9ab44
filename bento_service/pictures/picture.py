"""Decoded pictures, snapshots of encoded ones, and the interface of decoders."""

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from bento_service.pictures.formats import Colour, Region


@dataclass(frozen=True)
class Picture:
    """A decoded picture, ready to be described.

    Attributes:
        pixels: (S, S, 3) uint8, RGB.
        width: The width of the whole upright picture, in pixels.
        height: Its height, in pixels.
        format: One of the keys of `MEDIA_TYPES`.
        warnings: Messages for the user, such as that only the first frame is used.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The bytes of an encoded picture, which do not change when its file does.

    Attributes:
        data: The bytes.
    """

    data: bytes | memoryview

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


Source = bytes | BinaryIO | Snapshot
"""An encoded picture: its bytes, a seekable file open for reading, or a snapshot."""


def pixels_of(samples: bytearray, side: int) -> NDArray[np.uint8]:
    """Return the samples of a square, stored row by row, as (side, side, 3), without a copy.

    Raises:
        ValueError: The number of samples does not fit.
    """
    return np.frombuffer(samples, np.uint8).reshape(side, side, 3)


class Decoder(Protocol):
    """A decoder of untrusted pictures, with limits of its own. Threads may share it.

    `decode` and `thumbnail` raise:
        UnsupportedMediaType: The picture has no supported format.
        TooLarge: The picture has more pixels than are accepted.
        ImageUnreadable: The picture is truncated or corrupt.
        ImageTooExpensive: The picture takes more time or memory than one picture may.
        NotReady, Overloaded: The picture is not the cause; try again.
    """

    def snapshot(
        self, source: bytes | BinaryIO, *, max_bytes: int | None = None
    ) -> AbstractContextManager[Snapshot]:
        """Read an encoded picture once, so that its digest and its pixels have the same bytes.

        Args:
            source: The encoded picture.
            max_bytes: Most bytes to read.
        """

    def decode(
        self,
        source: Source,
        *,
        side: int,
        padding: Colour | None = None,
        region: Region | None = None,
        sender: str | None = None,
    ) -> Picture:
        """Decode a picture and make it a square; see `pictures.square.square`.

        Args:
            source: The encoded picture; a snapshot of the same decoder is not copied.
            side: The side of the square, in pixels.
            padding: See `square`.
            region: See `square`.
            sender: The caller that waits for the answer; `None` for a job.

        Raises:
            InvalidArgument: `region` is empty or not inside the picture.
        """

    def thumbnail(self, source: Source, *, side: int, sender: str | None = None) -> bytes:
        """Return a small upright WebP that fits in a square of `side` pixels, without metadata."""
