"""Decoded pictures, and snapshots of encoded ones."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """A decoded picture, ready to be described.

    Attributes:
        pixels: (S, S, 3) uint8, RGB.
        width, height: The size of the whole upright picture, in pixels.
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
    """The bytes of an encoded picture, which do not change when its file does."""

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
