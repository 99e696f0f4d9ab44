"""How many pixels of two pictures differ: what descriptors do not see, such as a changed word."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image, ImageChops, ImageFilter, ImageMath
from pixelmatch.utils import antialiased

from client_sdk.errors import UsageError

MAX_EDGES = 50_000
"""Pixels that are looked at for smoothed edges: more are a change of the whole, and cost time."""

FAINT = 0.75  # how much white lies over what is equal
DIFFERENT = (214, 32, 32)
HALO = (255, 196, 190)
HALO_SIDE = 13  # pixels, so that one changed letter is found in a small picture too
SMOOTHED = (240, 173, 32)
_FULL = 35215.0  # the largest colour distance there is
_FINE = 1000.0  # so that every distance above the limit is at least 1 as a whole number


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """How two pictures are compared pixel by pixel.

    Attributes:
        max_share: The largest share of differing pixels that passes, in [0, 1].
        threshold: From which difference in colour on a pixel differs, in [0, 1]: a share of the
            largest difference that there is, as people see colours (Kotsarenko and Ramos, 2010).
        smoothed_edges: Whether pixels count that differ by the smoothing of an edge alone
            (Vysniauskas, 2009).
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
    """What a comparison pixel by pixel has shown.

    Attributes:
        differing: Pixels that differ.
        total: Pixels of both pictures laid over each other.
        smoothed: Pixels that differ by the smoothing of an edge alone, and do not count.
        box: `(x, y, width, height)` around the differing pixels; `None` where there are none.
        sizes_differ: Whether one picture is larger; what it has more differs.
        max_share: The share that passes; `None` where none was asked for.
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
        """Whether no more pixels differ than may."""
        return self.max_share is None or self.share <= self.max_share


def difference(
    actual: Image.Image, expected: Image.Image, pixels: Pixels | None
) -> tuple[PixelDifference, Image.Image]:
    """How much two RGB pictures differ, and a picture of it.

    Args:
        actual: One of them.
        expected: The other one. A smaller picture lies in the upper left corner.
        pixels: How to compare; with `None` the usual way, and nothing fails by it.

    Returns:
        The numbers; and the expected picture, faint, with differing pixels red in a pale halo,
        and those of smoothed edges yellow.
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
    """White where the colours are farther apart than the threshold, in YIQ as pixelmatch does."""
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
    """White where the pixels differ by the smoothing of an edge alone."""
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
