"""Pillow images and NumPy arrays as PNG bytes; neither library is imported before it is used."""

import io
import struct
import sys
import zlib
from typing import Any, Protocol, TypeGuard

from client_sdk.errors import UsageError

# The modes that a PNG supports, and the conversions of other modes.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_CONVERSIONS = {"PA": "RGBA", "RGBa": "RGBA", "La": "LA", "I": "I;16"}
_COMPRESSION = 1  # a higher level takes longer than it saves in transfer
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # of a PNG, by samples per pixel
_TO_8_BIT = {
    "f": "; floats from 0 to 1 become (255 * array).round().astype('uint8')",
    "b": "; for a mask, array.astype('uint8') * 255",
    "u": "; of 16 bits, (array >> 8).astype('uint8')",
}


class PillowImage(Protocol):
    """The used part of `PIL.Image.Image`."""

    @property
    def mode(self) -> str: ...
    def save(self, fp: Any, format: str | None = None, **params: Any) -> None: ...


class PixelArray(Protocol):
    """The used part of `numpy.ndarray`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def tobytes(self) -> bytes: ...


def is_pillow(picture: object) -> TypeGuard[PillowImage]:
    """Return True if an object is a Pillow image."""
    return _is_a(picture, "PIL.Image", "Image")


def is_array(picture: object) -> TypeGuard[PixelArray]:
    """Return True if an object is a NumPy array."""
    return _is_a(picture, "numpy", "ndarray")


def pillow_png(image: Any, compression: int = _COMPRESSION) -> bytes:
    """Return a Pillow image as an upright PNG without metadata except its colour profile."""
    from PIL import ImageOps  # imported by the caller, as the image is one of Pillow

    upright: Any = ImageOps.exif_transpose(image)
    encoded = io.BytesIO()
    options: dict[str, Any] = {"exif": b"", "compress_level": compression}
    if upright.mode not in _PNG_MODES:
        upright = _converted(upright)
        options["icc_profile"] = None  # the profile describes the colours before the conversion
    upright.save(encoded, "PNG", **options)
    return encoded.getvalue()


def array_png(array: PixelArray) -> bytes:
    """Return a uint8 array as a PNG: `(H, W)` grey, `(H, W, 3)` RGB or `(H, W, 4)` RGBA."""
    height, width, samples = _checked(array)
    row = width * samples
    pixels = array.tobytes()
    # Each row begins with the number of its filter; 0 means no filter.
    lines = b"".join(b"\0" + pixels[at : at + row] for at in range(0, height * row, row))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[samples], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, _COMPRESSION)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _is_a(picture: object, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(picture, kind)


def _converted(image: Any) -> Any:
    if image.mode == "F":
        raise UsageError(
            "a Pillow image of floats (mode F) has no defined white; scale it to 0..255 and "
            "convert it to mode L first"
        )
    if image.mode.startswith("I;16"):  # in another byte order
        return image.convert("I").convert("I;16")
    if image.mode == "I" and not 0 <= min(image.getextrema()) <= max(image.getextrema()) < 2**16:
        raise UsageError(
            "a Pillow image of mode I is sent with 16 bits, but this one has values outside of "
            "0..65535; scale it first"
        )
    return image.convert(_CONVERSIONS.get(image.mode, "RGB"))


def _checked(array: PixelArray) -> tuple[int, int, int]:
    """Return the height, the width and the samples per pixel; raise for other shapes and types."""
    shape = tuple(int(length) for length in array.shape)
    if str(array.dtype) != "uint8":
        hint = _TO_8_BIT.get(str(array.dtype.kind), "")
        raise UsageError(
            f"a picture cannot be an array of {array.dtype}; give uint8, from 0 to 255{hint}"
        )
    height, width, samples = (*shape, 1) if len(shape) == 2 else (*shape, 0, 0, 0)[:3]
    if len(shape) > 3 or samples not in _COLOUR_TYPES or (len(shape) == 3 and samples == 1):
        raise UsageError(
            f"a picture cannot be an array of shape {shape}{_advice(shape)}; give (H, W), "
            "(H, W, 3) in the order red, green, blue, or (H, W, 4). Arrays of OpenCV are in the "
            "order blue, green, red: give array[..., ::-1]"
        )
    if not height or not width:
        raise UsageError(f"a picture cannot be an array of shape {shape}: it has no pixels")
    return height, width, samples


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return ": it has several pictures, give list(array)"
    if len(shape) == 3 and shape[2] == 1:
        return ": give array[..., 0]"
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return ": its first axis is the colours, give array.transpose(1, 2, 0)"
    return ""


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
