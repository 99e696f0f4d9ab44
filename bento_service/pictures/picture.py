"""A picture as the rest of the service sees it: pixels, and what is worth knowing about them."""

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


@dataclass(frozen=True)
class Snapshot:
    """The bytes of an encoded picture, which stay as they are whatever happens to its file."""

    data: bytes | memoryview

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)

    @cached_property
    def sha256(self) -> str:
        """Digest of the bytes, 64 hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


Source = bytes | BinaryIO | Snapshot
"""An encoded picture: its bytes, a file open for reading that can seek, or a snapshot."""


def pixels_of(samples: bytearray, side: int) -> NDArray[np.uint8]:
    """The samples of a square, row by row, as (side, side, 3); not copied.

    Raises:
        ValueError: There are more or fewer.
    """
    return np.frombuffer(samples, np.uint8).reshape(side, side, 3)


class Decoder(Protocol):
    """Makes pictures of untrusted bytes, within limits of its own. Threads may share it.

    Decoding and thumbnails raise:
        UnsupportedMediaType: Not one of the supported formats.
        TooLarge: More pixels than are accepted.
        ImageUnreadable: Truncated or corrupt.
        ImageTooExpensive: It takes more time or memory than a picture may take.
        NotReady, Overloaded: Not the picture's fault; try again.
    """

    def snapshot(
        self, source: bytes | BinaryIO, *, max_bytes: int | None = None
    ) -> AbstractContextManager[Snapshot]:
        """Read an encoded picture once, so that its digest and its pixels are of the same bytes.

        Args:
            source: The encoded picture.
            max_bytes: Read no more than these.
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
        """Decode a picture and make it a square; see `vision.square.square`.

        Args:
            source: The encoded picture; a snapshot of the same decoder is not copied.
            side: Of the square.
            padding: See there.
            region: See there.
            sender: Who waits for the answer; `None` where it is a job.

        Raises:
            InvalidArgument: `region` is empty or outside of the picture.
        """

    def thumbnail(self, source: Source, *, side: int, sender: str | None = None) -> bytes:
        """A small upright WebP that fits in a square of `side` pixels, without metadata."""
