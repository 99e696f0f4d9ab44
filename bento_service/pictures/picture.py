"""A picture as the rest of the service sees it: pixels, and what is worth knowing about them."""

from dataclasses import dataclass
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


def pixels_of(samples: bytearray, side: int) -> NDArray[np.uint8]:
    """The samples of a square, row by row, as (side, side, 3); not copied.

    Raises:
        ValueError: There are more or fewer.
    """
    return np.frombuffer(samples, np.uint8).reshape(side, side, 3)


class Decoder(Protocol):
    """Makes pictures of untrusted bytes, within limits of its own. Threads may share it.

    Both ways raise:
        UnsupportedMediaType: Not one of the supported formats.
        TooLarge: More pixels than are accepted.
        ImageUnreadable: Truncated or corrupt.
        ImageTooExpensive: It takes more time or memory than a picture may take.
        NotReady, Overloaded: Not the picture's fault; try again.
    """

    def decode(
        self,
        source: bytes | BinaryIO,
        *,
        side: int,
        padding: Colour | None = None,
        region: Region | None = None,
        sender: str | None = None,
    ) -> Picture:
        """Decode a picture and make it a square; see `vision.square.square`.

        Args:
            source: The encoded picture.
            side: Of the square.
            padding: See there.
            region: See there.
            sender: Who waits for the answer; `None` where it is a job.

        Raises:
            InvalidArgument: `region` is empty or outside of the picture.
        """

    def thumbnail(self, source: bytes | BinaryIO, *, side: int, sender: str | None = None) -> bytes:
        """A small upright WebP that fits in a square of `side` pixels, without metadata."""
