"""Decoding of untrusted bytes to upright RGB pixels with Pillow, without NumPy.

The content decides the format, never the name. The size is checked in the header before anything
is decoded. Every failure of Pillow becomes one of our errors.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageMath,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from bento_service.errors import (
    ImageTooExpensive,
    ImageUnreadable,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.pictures.formats import (
    BEGINNING,
    MEDIA_TYPES,
    begins_like_a_picture,
    format_not_read,
    webp_size,
)
from bento_service.pictures.png_stream import PngStream

# Imported here, because Pillow would otherwise load all of its about forty plugins.
_PLUGINS = (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
# Pillow raised these for broken pictures: its own corpus and mutations of it.
_PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    RuntimeError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_ORIENTATION = 0x0112
_NEW_SUBFILE_TYPE, _SUB_IFDS = 254, 330  # TIFF 6.0, page 36, and its supplement 1
_REDUCED = 1
_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEEP_MODES = ("I", "F")
_DEPTHS = (8, 10, 12, 14, 16)
"""The bits that cameras and scanners use in 16-bit samples."""
_ROWS_AT_ONCE = 256
_WHITE = (255, 255, 255, 255)

# `_check_pixels` limits width times height. Pillow's own limit only warns up to twice its value.
Image.MAX_IMAGE_PIXELS = None
# Pillow creates its stream by this name.
PngImagePlugin.PngStream = PngStream  # type: ignore[misc]


class TooManyPixels(TooLarge):
    """A picture whose header declares more pixels than are accepted.

    Attributes:
        size: The width and height in pixels.
        scales: True if pictures of its format are scaled during decoding.
    """

    def __init__(self, size: tuple[int, int], max_pixels: int, *, scales: bool) -> None:
        super().__init__(
            f"the picture has {size[0]} x {size[1]} pixels; at most {max_pixels} are accepted: "
            "scale it down first"
        )
        self.size = size
        self.scales = scales


@contextmanager
def opened(
    source: bytes | BinaryIO, *, max_pixels: int, max_jpeg_pixels: int | None = None
) -> Iterator[Image.Image]:
    """Open a picture by its content, check its declared size, and translate Pillow's errors.

    Args:
        source: An encoded picture, or a seekable file open for reading.
        max_pixels: Most pixels.
        max_jpeg_pixels: Most pixels of a JPEG, which is scaled during decoding; `max_pixels` if
            `None`.

    Raises:
        UnsupportedMediaType: The picture has no supported format.
        TooLarge: The picture has more pixels.
        ImageUnreadable: The picture is truncated or corrupt.
        ImageTooExpensive: There is not enough memory to decode it.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    beginning = stream.read(BEGINNING)
    stream.seek(0)
    _check_pixels(webp_size(beginning) or (0, 0), max_pixels, scales=False)
    try:
        with Image.open(stream, formats=tuple(MEDIA_TYPES)) as image:
            scales = format_of(image) == "JPEG" and max_jpeg_pixels is not None
            _check_pixels(image.size, max_jpeg_pixels if scales else max_pixels, scales=scales)
            _check_preview(image)
            yield image
    except UnidentifiedImageError as error:
        if begins_like_a_picture(beginning):
            raise ImageUnreadable(
                "the picture's header is damaged; send the file again from its original"
            ) from error
        raise UnsupportedMediaType(
            f"{format_not_read(beginning)}; send one of {', '.join(MEDIA_TYPES)}"
        ) from error
    except MemoryError as error:
        raise ImageTooExpensive(
            "decoding the picture takes more memory than one picture may; scale it down first"
        ) from error
    except _PILLOW_ERRORS as error:
        raise ImageUnreadable(
            "the picture is truncated or corrupt; send the file again from its original"
        ) from error


def _check_pixels(size: tuple[int, int], max_pixels: int | None, *, scales: bool) -> None:
    width, height = size
    if max_pixels is not None and width * height > max_pixels:
        raise TooManyPixels(size, max_pixels, scales=scales)


def _check_preview(image: Image.Image) -> None:
    """Reject a TIFF or raw file that begins with a reduced copy of its picture."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    is_reduced = image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED
    if is_reduced and (_SUB_IFDS in image.tag_v2 or image.n_frames > 1):
        raise UnsupportedMediaType(
            "the file begins with a small preview of its picture, as raw files of cameras do; "
            "export the picture itself and send it as JPEG or TIFF"
        )


def format_of(image: Image.Image) -> str:
    """Return the format of a picture, one of the keys of `MEDIA_TYPES`."""
    # MPO is a JPEG with further pictures, as telephones write it.
    return "JPEG" if image.format == "MPO" else image.format or ""


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of a loaded picture; 1 (upright) if it cannot be read."""
    try:
        given = image.getexif().get(_ORIENTATION, 1)
    except _PILLOW_ERRORS:
        return 1
    return given if given in _UPRIGHT_BY else 1


def upright_rgb(image: Image.Image, orientation: int) -> Image.Image:
    """Return a loaded picture upright and in RGB, with transparent pixels blended onto white.

    Raises:
        ImageUnreadable: The picture has samples that are not numbers.
    """
    opaque = image
    if image.mode in _DEEP_MODES or image.mode.startswith("I;16"):
        opaque = _scaled_to_8_bit(image)
    elif image.has_transparency_data or image.mode in ("RGBa", "La"):
        opaque = _on_white(image)
    if orientation != 1:
        opaque = opaque.transpose(_UPRIGHT_BY[orientation])
    return opaque if opaque.mode == "RGB" else opaque.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, blended onto white.

    It is blended some rows at a time, since blending it whole would need four copies in memory.
    """
    width, height = image.size
    opaque = Image.new("RGB", image.size)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = image.crop((0, top, width, min(top + _ROWS_AT_ONCE, height))).convert("RGBA")
        white = Image.new("RGBA", rows.size, _WHITE)
        opaque.paste(Image.alpha_composite(white, rows).convert("RGB"), (0, top))
    return opaque


def _scaled_to_8_bit(image: Image.Image) -> Image.Image:
    """Return 16-bit samples scaled by the bits in use, and wider ones scaled by their range.

    A plain conversion would clip everything above 255 to white. Samples that use 10 or 12 of 16
    bits would be nearly black on the 16-bit scale.
    """
    if image.mode not in (*_DEEP_MODES, "I;16"):
        image = image.convert("I")  # the other byte orders
    low, high = _extrema(image)
    if image.mode != "F" and low >= 0 and high < 2 ** _DEPTHS[-1]:
        low, high = 0.0, next(2.0**bits - 1 for bits in _DEPTHS if high < 2**bits)
    factor = 255.0 / max(high - low, 1e-12)
    # Half a step is added, because the conversion to integers truncates.
    shift = 0.5 - low * factor
    return image.convert("F").point(lambda sample: sample * factor + shift).convert("L")


def _extrema(image: Image.Image) -> tuple[float, float]:
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    is_number = math.isfinite(low) and math.isfinite(high)
    if image.mode == "F" and is_number:
        differing = ImageMath.lambda_eval(lambda given: given["a"] != given["a"], a=image)
        is_number = differing.getextrema() == (0, 0)  # only NaN differs from itself
    if not is_number:
        raise ImageUnreadable("the picture has samples that are not numbers")
    return low, high
