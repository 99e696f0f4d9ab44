"""Pixel comparison of pictures, for changes that descriptors miss, such as a changed word."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image, ImageChops, ImageFilter, ImageMath
from pixelmatch.utils import antialiased

from client_sdk.errors import UsageError

MAX_EDGES = 50_000
"""The most differing pixels to check for smoothed edges; more are a large change, and slow."""

FAINT = 0.75  # share of white that is blended over the expected picture
DIFFERENT = (214, 32, 32)
HALO = (255, 196, 190)
HALO_SIDE = 13  # pixels, so that one changed letter is visible in a thumbnail too
SMOOTHED = (240, 173, 32)
_FULL = 35215.0  # the largest possible colour distance
_FINE = 1000.0  # scale, so that every distance above the limit is at least 1 as an integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """The rule of a pixel comparison.

    Attributes:
        max_share: The largest share of differing pixels that passes, in [0, 1].
        threshold: The smallest colour difference of a differing pixel, in [0, 1]: a share of the
            largest possible perceived difference (Kotsarenko and Ramos, 2010).
        smoothed_edges: If true, count also pixels that differ only by the anti-aliasing of an edge
            (Vysniauskas, 2009).

    Raises:
        UsageError: If a number is outside [0, 1].
    """

    max_share: float = 0.0
    threshold: float = 0.1
    smoothed_edges: bool = False

    def __post_init__(self) -> None:
        for name in ("max_share", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"pixels: {name} is {getattr(self, name)}; give 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelDifference:
    """The result of a pixel comparison.

    Attributes:
        differing: The number of differing pixels.
        total: The number of pixels of the area that the two pictures cover, with equal upper left
            corners.
        smoothed: The number of pixels that differ only by the anti-aliasing of an edge; they do
            not count as differing.
        box: The bounding box of the differing pixels, `(x, y, width, height)`; `None` without any.
        sizes_differ: True if the sizes differ; pixels outside of either picture count as differing.
        max_share: The largest share that passes; `None` if every share passes.
    """

    differing: int
    total: int
    smoothed: int = 0
    box: tuple[int, int, int, int] | None = None
    sizes_differ: bool = False
    max_share: float | None = None

    @property
    def share(self) -> float:
        """The share of differing pixels, in [0, 1]."""
        return self.differing / self.total

    @property
    def passed(self) -> bool:
        """True if the share of differing pixels is allowed."""
        return self.max_share is None or self.share <= self.max_share


def difference(
    actual: Image.Image, expected: Image.Image, pixels: Pixels | None
) -> tuple[PixelDifference, Image.Image]:
    """Compare two RGB pictures pixel by pixel.

    Args:
        actual: The current picture.
        expected: The expected picture. A smaller picture lies in the upper left corner.
        pixels: The rule; `None` uses the default rule with no limit for the share.

    Returns:
        The difference, and a picture of it: the faded expected picture with differing pixels in
        red with a pale halo, and pixels of smoothed edges in yellow.
    """
    rule = pixels or Pixels()
    size = max(actual.width, expected.width), max(actual.height, expected.height)
    outside = _outside(actual.size, expected.size, size)
    first, second = _laid(actual, size), _laid(expected, size)
    differing = _far(first, second, rule.threshold)
    smoothed = Image.new("L", size)
    if not rule.smoothed_edges and 0 < differing.histogram()[255] <= MAX_EDGES:
        smoothed = _smoothed(first, second, differing)
    counted = ImageChops.lighter(ImageChops.subtract(differing, smoothed), outside)
    found = PixelDifference(
        differing=counted.histogram()[255],
        total=size[0] * size[1],
        smoothed=smoothed.histogram()[255],
        box=_around(counted),
        sizes_differ=actual.size != expected.size,
        max_share=None if pixels is None else pixels.max_share,
    )
    return found, _drawn(second, counted, smoothed)


def _laid(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    laid = Image.new("RGB", size, "white")
    laid.paste(image)
    return laid


def _outside(one: tuple[int, int], other: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    shared = (0, 0, min(one[0], other[0]), min(one[1], other[1]))
    outside = Image.new("L", size, 255)
    outside.paste(0, shared)
    return outside


def _around(mask: Image.Image) -> tuple[int, int, int, int] | None:
    box = mask.getbbox()
    return None if box is None else (box[0], box[1], box[2] - box[0], box[3] - box[1])


def _far(one: Image.Image, other: Image.Image, threshold: float) -> Image.Image:
    """Return a mask of colour differences above the threshold, in YIQ like pixelmatch."""
    bands = {
        f"{channel}{number}": band
        for number, image in enumerate((one, other))
        for channel, band in zip("rgb", image.split(), strict=True)
    }
    limit = _FULL * threshold * threshold

    def beyond(names: dict[str, Any]) -> Any:
        as_kind = names["convert"]
        r, g, b = (as_kind(names[f"{c}0"], "F") - as_kind(names[f"{c}1"], "F") for c in "rgb")
        y = r * 0.29889531 + g * 0.58662247 + b * 0.11448223
        i = r * 0.59597799 - g * 0.27417610 - b * 0.32180189
        q = r * 0.21147017 - g * 0.52261711 + b * 0.31114694
        far = y * y * 0.5053 + i * i * 0.299 + q * q * 0.1957
        return as_kind((far - limit) * _FINE, "L")

    found = cast("Image.Image", ImageMath.lambda_eval(beyond, **bands))
    return found.point([0] + [255] * 255)


def _smoothed(one: Image.Image, other: Image.Image, differing: Image.Image) -> Image.Image:
    """Return a mask of the pixels that differ only by the anti-aliasing of an edge."""
    width, height = differing.size
    first, second = one.convert("RGBA").tobytes(), other.convert("RGBA").tobytes()
    found = bytearray(width * height)
    for place in _white(differing.tobytes()):
        y, x = divmod(place, width)
        if antialiased(first, x, y, width, height, second) or antialiased(
            second, x, y, width, height, first
        ):
            found[place] = 255
    return Image.frombytes("L", (width, height), bytes(found))


def _white(mask: bytes) -> Iterator[int]:
    place = mask.find(b"\xff")
    while place >= 0:
        yield place
        place = mask.find(b"\xff", place + 1)


def _drawn(expected: Image.Image, counted: Image.Image, smoothed: Image.Image) -> Image.Image:
    grey = expected.convert("L").convert("RGB")
    drawn = Image.blend(grey, Image.new("RGB", grey.size, "white"), FAINT)
    drawn.paste(HALO, mask=counted.filter(ImageFilter.MaxFilter(HALO_SIDE)))
    drawn.paste(SMOOTHED, mask=smoothed)
    drawn.paste(DIFFERENT, mask=counted)
    return drawn
