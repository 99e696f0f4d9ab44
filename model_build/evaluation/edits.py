"""Twenty-four common edits of pictures.

Each edit is a function of an upright RGB picture and a random generator. What it draws
(where a crop lies, how far a picture is tilted) depends on the seed, the edit and the picture's
bytes alone, so that the same picture gives the same copy in every collection.
"""

import functools
import hashlib
import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from bento_service.pictures.in_process import thumbnail
from client_sdk.decoding.formats import MAX_JPEG_PIXELS, MAX_PIXELS

LONGEST_SIDE = 1024
"""The longest side, in pixels, of the WebP that is edited, as a web site would show it."""
QUALITY = 90
"""The quality of the JPEG of every copy, unless the edit is another quality."""

_Edit = Callable[[Image.Image, np.random.Generator], Image.Image]


def edited_copy(content: bytes, *, edit: str, seed: int) -> bytes:
    """Return a copy of an encoded picture, edited by one of `EDITS`, as JPEG.

    Equal seeds give equal copies.

    Raises:
        LookalikeError: The picture cannot be read; see `decode`.
    """
    drawn = hashlib.sha256(f"{seed} {edit} ".encode() + content).digest()
    random = np.random.default_rng(int.from_bytes(drawn[:8]))
    with Image.open(io.BytesIO(_as_shown(content))) as shown:
        changed = EDITS[edit](shown.convert("RGB"), random)
    encoded = io.BytesIO()
    changed.save(encoded, "JPEG", quality=_QUALITIES.get(edit, QUALITY))
    return encoded.getvalue()


@functools.lru_cache(maxsize=1)  # a picture is edited in all ways before the next one is
def _as_shown(content: bytes) -> bytes:
    return thumbnail(
        content, side=LONGEST_SIDE, max_pixels=MAX_PIXELS, max_jpeg_pixels=MAX_JPEG_PIXELS
    )


def _same(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    return picture


def _scaled(share: float) -> _Edit:
    """Scale both sides by `share`."""

    def scale(picture: Image.Image, _: np.random.Generator) -> Image.Image:
        return picture.resize(_at_least_one(picture.width * share, picture.height * share))

    return scale


def _stretched(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Stretch one side, drawn at random, by a quarter."""
    wider = bool(random.integers(2))
    width, height = picture.size
    return picture.resize((width * 5 // 4, height) if wider else (width, height * 5 // 4))


def _cropped(share: float) -> _Edit:
    """Crop a random part of the same shape with `share` of the area."""

    def crop(picture: Image.Image, random: np.random.Generator) -> Image.Image:
        side = share**0.5
        width, height = _at_least_one(picture.width * side, picture.height * side)
        left = int(random.integers(picture.width - width + 1))
        top = int(random.integers(picture.height - height + 1))
        return picture.crop((left, top, left + width, top + height))

    return crop


def _turned(by: Image.Transpose) -> _Edit:
    return lambda picture, _: picture.transpose(by)


def _tilted(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Rotate by 3 to 8 degrees in a random direction, with black corners."""
    degrees = float(random.uniform(3, 8) * random.choice((-1, 1)))
    return picture.rotate(degrees, Image.Resampling.BICUBIC)


def _enhanced(how: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> _Edit:
    return lambda picture, _: how(picture).enhance(factor)


def _warmed(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Raise red and lower blue by 15 %, as another white balance does."""
    red, green, blue = picture.split()
    more, less = red.point(lambda v: min(255, v * 1.15)), blue.point(lambda v: v * 0.85)
    return Image.merge("RGB", (more, green, less))


def _grey(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    return ImageOps.grayscale(picture).convert("RGB")


def _blurred(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Blur by a Gaussian of 1 % of the longer side."""
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 100))


def _noisy(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Add Gaussian noise with a standard deviation of 20 of 255, independent in each channel."""
    pixels = np.asarray(picture, dtype=np.float32)
    noise = random.normal(0, 20, pixels.shape).astype(np.float32)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _watermarked(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Draw half-transparent white text three times across the picture."""
    layer = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(max(10, picture.width / 10))
    for part in (1, 3, 5):
        place = (picture.width / 2, picture.height * part / 6)
        draw.text(place, "lookalike.example", (255, 255, 255, 128), font, anchor="mm")
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _bordered(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Add a black or white frame of a tenth of the longer side."""
    colour = int(random.choice((0, 255)))
    return ImageOps.expand(picture, max(picture.size) // 10, (colour, colour, colour))


def _on_a_screen(picture: Image.Image, _: np.random.Generator) -> Image.Image:
    """Draw a telephone screenshot, 9 to 16 or longer: a bar, the picture, lines of text."""
    width = picture.width
    bar = max(2, width // 8)
    height = max(width * 16 // 9, picture.height + 4 * bar)
    screen = Image.new("RGB", (width, height), (250, 250, 250))
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, width, bar), (32, 60, 110))
    screen.paste(picture, (0, bar))
    left, right = bar // 2, max(bar // 2, width - bar)
    for line in range(bar + picture.height + bar // 2, height - bar // 2, max(2, bar // 2)):
        draw.rectangle((left, line, right, line + bar // 6), (120, 120, 120))
    return screen


def _at_least_one(width: float, height: float) -> tuple[int, int]:
    return max(1, round(width)), max(1, round(height))


_QUALITIES = {"jpeg70": 70, "jpeg30": 30, "jpeg10": 10}

EDITS: Mapping[str, _Edit] = {
    "jpeg70": _same,
    "jpeg30": _same,
    "jpeg10": _same,
    "half-size": _scaled(1 / 2),
    "quarter-size": _scaled(1 / 4),
    "stretch": _stretched,
    "crop70": _cropped(0.7),
    "crop50": _cropped(0.5),
    "crop30": _cropped(0.3),
    "rotate90": _turned(Image.Transpose.ROTATE_90),
    "rotate180": _turned(Image.Transpose.ROTATE_180),
    "rotate270": _turned(Image.Transpose.ROTATE_270),
    "tilt": _tilted,
    "flip": _turned(Image.Transpose.FLIP_LEFT_RIGHT),
    "brighter": _enhanced(ImageEnhance.Brightness, 1.4),
    "darker": _enhanced(ImageEnhance.Brightness, 0.6),
    "contrast": _enhanced(ImageEnhance.Contrast, 1.5),
    "warm": _warmed,
    "greyscale": _grey,
    "blur": _blurred,
    "noise": _noisy,
    "watermark": _watermarked,
    "border": _bordered,
    "screenshot": _on_a_screen,
}
"""The edits by name, in the order of reports. A number after `jpeg` is the quality, after `crop`
the share of the area in percent, after `rotate` degrees."""
