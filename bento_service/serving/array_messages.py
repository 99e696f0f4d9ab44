"""Arrays as HTTP messages between the service and its embedder, with type and size checks.

The body is the array's bytes, little-endian and in C order. The headers hold its type and its
shape. So no parser runs on the body, and its size is known before any of it is read.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEDIA_TYPE = "application/vnd.lookalike.array"
TYPE_HEADER, SHAPE_HEADER = "array-type", "array-shape"
ARRAY_KEY = "lookalike.array"
"""The key of an ASGI scope for the array that was read from the request's body."""
_SHAPE = re.compile(r"[0-9]{1,9}(?:,[0-9]{1,9}){0,7}")


class InvalidArray(ValueError):
    """A message is not the array that is expected; the text says why."""


@dataclass(frozen=True)
class ArrayKind:
    """The arrays that a message may hold: 1 to `max_rows` rows, each of the shape `row`."""

    dtype: "np.dtype[Any]"
    row: tuple[int, ...]
    max_rows: int

    @property
    def row_bytes(self) -> int:
        """The size of one row in bytes."""
        return prod(self.row) * self.dtype.itemsize

    def rows(self, headers: Mapping[str, str]) -> int:
        """Return the number of rows that a message declares in headers with lower-case names.

        Raises:
            InvalidArray: The headers are those of another kind of message, or contradict each
                other.
        """
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != MEDIA_TYPE:
            raise InvalidArray(f"the content type is {media_type[:80]!r}; send {MEDIA_TYPE}")
        dtype, shape = headers.get(TYPE_HEADER, ""), headers.get(SHAPE_HEADER, "")
        sizes = tuple(map(int, shape.split(","))) if _SHAPE.fullmatch(shape) else ()
        if dtype != self.dtype.name or sizes[1:] != self.row or not sizes:
            raise InvalidArray(
                f"the array is {dtype[:20]!r} of shape {shape[:80]!r}; send {self.dtype.name} (N, "
                f"{', '.join(map(str, self.row))})"
            )
        if not 1 <= sizes[0] <= self.max_rows:
            raise InvalidArray(f"the array has {sizes[0]} rows; send 1 to {self.max_rows}")
        announced = headers.get("content-length", "none")
        if announced != str(sizes[0] * self.row_bytes):
            raise InvalidArray(
                f"the body has {announced[:20]} bytes; an array of shape {shape} has "
                f"{sizes[0] * self.row_bytes}"
            )
        return sizes[0]

    def array(self, body: bytes | bytearray, rows: int) -> NDArray[Any]:
        """Return the array in a body, without a copy; raise `InvalidArray` if its size differs."""
        if len(body) != rows * self.row_bytes:
            raise InvalidArray(f"{len(body)} bytes came, not {rows * self.row_bytes}")
        return np.frombuffer(body, self.dtype.newbyteorder("<")).reshape(rows, *self.row)


def array_headers(array: NDArray[Any]) -> dict[str, str]:
    """Return the headers of a message that holds an array."""
    return {
        "content-type": MEDIA_TYPE,
        TYPE_HEADER: array.dtype.name,
        SHAPE_HEADER: ",".join(map(str, array.shape)),
        "content-length": str(array.nbytes),
    }


def array_body(array: NDArray[Any]) -> memoryview:
    """Return the body of a message that holds an array, without a copy if possible."""
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data


def images_kind(side: int, max_rows: int) -> ArrayKind:
    """Return the kind of messages with images (N, side, side, 3) uint8, RGB."""
    return ArrayKind(np.dtype(np.uint8), (side, side, 3), max_rows)


def descriptors_kind(dimensions: Iterable[int], max_rows: int) -> ArrayKind:
    """Return the kind of messages with joined descriptors (N, sum of all D) float32."""
    return ArrayKind(np.dtype(np.float32), (sum(dimensions),), max_rows)
