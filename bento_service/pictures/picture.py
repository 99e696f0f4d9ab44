"""Decoded pictures, and snapshots of encoded ones."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """A decoded picture, ready to be described.

    Attributes:
        samples: S rows of S pixels of red, green, blue; S is `side`.
        width, height: The size of the whole upright picture, in pixels.
        format: One of the keys of `MEDIA_TYPES`.
        warnings: Messages for the user, such as that only the first frame is used.
    """

    samples: bytearray
    side: int
    width: int
    height: int
    format: str
    warnings: tuple[str, ...] = ()

    @property
    def pixels(self) -> "NDArray[np.uint8]":
        """The samples as (S, S, 3) uint8, RGB, without a copy."""
        # Imported here, because decoder processes do not need NumPy.
        import numpy as np

        return np.frombuffer(self.samples, np.uint8).reshape(self.side, self.side, 3)


@dataclass(frozen=True)
class Snapshot:
    """The bytes of an encoded picture, which do not change when its file does.

    Attributes:
        file: The descriptor of the shared memory that begins with the bytes.
    """

    data: bytes | memoryview
    file: int

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
