"""Decoding of untrusted bytes to upright RGB pixels with Pillow, without NumPy.

The content decides the format, never the name. The size is checked in the header before anything
is decoded. Every failure of Pillow becomes one of our errors.
"""

import io
import math
import struct
import threading
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    ImageFilter,
    ImageMath,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from client_sdk.decoding.colour_profile import BrokenProfile, in_srgb, profile_of
from client_sdk.decoding.errors import TooExpensive, TooManyPixels, Unreadable, UnsupportedFormat
from client_sdk.decoding.formats import (
    BEGINNING,
    MEDIA_TYPES,
    begins_like_a_picture,
    format_not_read,
    webp_size,
)
from client_sdk.decoding.png_stream import PngStream

# `Image.open` loads all of Pillow's about forty plugins if these are not loaded.
_PLUGINS = (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    MpoImagePlugin,
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
_GROUNDS = {255: (192, 256), 0: (0, 64), 128: (96, 161)}
"""The grey levels to put under transparency, by preference, and those that vanish on each one."""
_MOST_VANISHING = 0.1
"""The share of the pixels next to transparent ones that may vanish on white."""
_SAMPLED_SIDE = 512

_OPENING = threading.Lock()


@contextmanager
def opened(
    source: bytes | BinaryIO, *, max_pixels: int, max_jpeg_pixels: int | None = None
) -> Generator[Image.Image]:
    """Open a picture by its content, check its declared size, and translate Pillow's errors.

    Args:
        source: An encoded picture, or a seekable file open for reading.
        max_pixels: The largest number of pixels.
        max_jpeg_pixels: The largest number of pixels of a JPEG, which can be scaled during
            decoding; by default `max_pixels`.

    Raises:
        UnsupportedFormat: The picture has no supported format.
        TooManyPixels: The picture has more pixels.
        Unreadable: The picture is truncated or corrupt.
        TooExpensive: There is not enough memory to decode it.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    beginning = stream.read(BEGINNING)
    stream.seek(0)
    _check_pixels(webp_size(beginning) or (0, 0), max_pixels, scales=False)
    try:
        with _open(stream) as image:
            scales = format_of(image) == "JPEG" and max_jpeg_pixels is not None
            _check_pixels(image.size, max_jpeg_pixels if scales else max_pixels, scales=scales)
            _check_preview(image)
            yield image
    except UnidentifiedImageError as error:
        if begins_like_a_picture(beginning):
            raise Unreadable(
                "the picture's header is damaged; send the file again from its original"
            ) from error
        raise UnsupportedFormat(
            f"{format_not_read(beginning)}; send one of {', '.join(MEDIA_TYPES)}"
        ) from error
    except MemoryError as error:
        raise TooExpensive(
            "decoding the picture takes more memory than one picture may; scale it down first"
        ) from error
    except _PILLOW_ERRORS as error:
        raise Unreadable(
            "the picture is truncated or corrupt; send the file again from its original"
        ) from error


def _open(stream: BinaryIO) -> Image.Image:
    """Open a picture without Pillow's limits of pixels and texts, which other code may rely on."""
    with _OPENING:
        kept = Image.MAX_IMAGE_PIXELS, PngImagePlugin.PngStream
        # `_check_pixels` limits the pixels; Pillow's own limit only warns up to twice its value.
        Image.MAX_IMAGE_PIXELS = None
        PngImagePlugin.PngStream = PngStream  # type: ignore[misc] # Pillow creates it by this name
        try:
            return Image.open(stream, formats=tuple(MEDIA_TYPES))
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.PngStream = kept  # type: ignore[misc]


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
        raise UnsupportedFormat(
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
    """Return a loaded picture upright and in RGB, with transparent pixels blended onto a ground.

    Raises:
        Unreadable: The picture has samples that are not numbers.
    """
    opaque = image
    if _is_deep(image):
        opaque = _scaled_to_8_bit(image)
    elif _is_transparent(image):
        opaque = _on_ground(image, _ground_of(image))
    if orientation != 1:
        opaque = opaque.transpose(_UPRIGHT_BY[orientation])
    return opaque if opaque.mode == "RGB" else opaque.convert("RGB")


def upright_rgba(image: Image.Image) -> Image.Image:
    """Return an opened picture upright, in sRGB and with its alpha."""
    image.load()
    orientation, profile = orientation_of(image), profile_of(image)
    if _is_transparent(image) and not _is_deep(image):
        seen = image.convert("RGBA")
        opaque, alpha = seen.convert("RGB"), seen.getchannel("A")
    else:
        opaque, alpha = upright_rgb(image, 1), None
    with suppress(BrokenProfile):
        opaque = in_srgb(opaque, profile)
    upright = opaque.convert("RGBA")
    if alpha is not None:
        upright.putalpha(alpha)
    if orientation != 1:
        upright = upright.transpose(_UPRIGHT_BY[orientation])
    return upright


def warnings_of(image: Image.Image) -> tuple[str, ...]:
    """Return the warnings for the user about an opened picture."""
    # Further pictures in a JPEG belong to the first: a gain map, a preview, a stereo view.
    if format_of(image) != "JPEG" and getattr(image, "is_animated", False):
        return ("the picture has several frames; only the first is used",)
    return ()


def _is_deep(image: Image.Image) -> bool:
    return image.mode in _DEEP_MODES or image.mode.startswith("I;16")


def _is_transparent(image: Image.Image) -> bool:
    return image.has_transparency_data or image.mode in ("RGBa", "La")


def _ground_of(image: Image.Image) -> int:
    """Return the grey level to put under transparency: white, unless the drawing vanishes on it.

    White drawings get a black ground, black and white drawings a grey one. Only the pixels next to
    transparent ones count: white text within a red sign is visible on any ground.
    """
    side = max(image.size)
    scale = min(1.0, _SAMPLED_SIDE / side)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    sampled = image.resize(size, Image.Resampling.NEAREST).convert("RGBA")
    alpha = sampled.getchannel("A")
    least = alpha.getextrema()[1] / 2  # type: ignore[operator]
    solid = alpha.point([255 * (0 < level >= least) for level in range(256)])
    edge = ImageChops.subtract(solid, solid.filter(ImageFilter.MinFilter(3)))
    levels = sampled.convert("RGB").convert("L").histogram(edge)
    shares = {
        ground: sum(levels[slice(*near)]) / max(1, sum(levels)) for ground, near in _GROUNDS.items()
    }
    return 255 if shares[255] <= _MOST_VANISHING else min(shares, key=shares.__getitem__)


def _on_ground(image: Image.Image, level: int) -> Image.Image:
    """Return a picture in RGB, blended onto a grey level.

    It is blended some rows at a time, since blending it whole would need four copies in memory.
    """
    width, height = image.size
    opaque = Image.new("RGB", image.size)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = image.crop((0, top, width, min(top + _ROWS_AT_ONCE, height))).convert("RGBA")
        ground = Image.new("RGBA", rows.size, (level, level, level, 255))
        opaque.paste(Image.alpha_composite(ground, rows).convert("RGB"), (0, top))
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
        raise Unreadable("the picture has samples that are not numbers")
    return low, high
