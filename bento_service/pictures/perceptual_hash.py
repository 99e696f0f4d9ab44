"""Perceptual hashes: 64 bits that hardly change when a picture is scaled or compressed.

The hash is pHash (Zauner, "Implementation and benchmarking of perceptual image hash functions",
2010) with the same bits as ImageHash: a bit is set if one of the 64 lowest frequencies of the grey
picture is above their median. Uniform borders are removed first. A picture has one hash for each of
the eight orientations that rotation and mirroring give, so the stored hashes of two pictures are
enough to compare them in every orientation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from client_sdk.schemas.compare import Orientation

if TYPE_CHECKING:
    from PIL import Image

HASH_BITS = 64
MAX_HASH_DISTANCE = 6
"""The largest number of different bits at which two pictures count as the same.

Among 1,065 photographs this finds 78 % of 1,584 edited copies without a false match. A limit of 8
bits gives one false match, and 10 bits give forty-two. See `docs/duplicates.md`.
"""
ORIENTATIONS = tuple(Orientation)
_INVERSE = (0, 3, 2, 1, 4, 5, 6, 7)  # of each orientation; mirrored ones are their own inverse
INVERSE = {ORIENTATIONS[at]: ORIENTATIONS[inverse] for at, inverse in enumerate(_INVERSE)}
"""The orientation that undoes each one."""
_STORED = np.dtype(">u8")
_SIDE = 32
_FREQUENCIES = 8
_DECIMALS = 6
"""The decimals that frequencies are rounded to.

The step is far above rounding errors and far below the differences between pictures.
"""
_PLACES = np.linspace(-1.0, 1.0, _SIDE)
_MIRRORS = np.array(
    [
        np.outer(np.resize((1.0, down), _FREQUENCIES), np.resize((1.0, across), _FREQUENCIES))
        for down in (1.0, -1.0)
        for across in (1.0, -1.0)
    ]
)
"""(4, 8, 8): factors that mirror a picture: a mirror negates odd frequencies in its direction."""
_IN_ORDER = np.array((0, 6, 3, 5, 1, 7, 2, 4))
"""The place of each orientation among the mirrored frequencies and the exchanged ones."""
_COSINES = 2.0 * np.cos(
    np.pi / (2 * _SIDE) * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(_SIDE) + 1)
)
"""(8, 32): the lowest cosines of the DCT-II."""
_LINES_AT_ONCE = 16
_BORDER_TOLERANCE = 8
"""The levels by which a border's pixels may differ, since JPEG compression changes them."""
_MIXED_LINES = 2
_RINGING_LINES = 8
_LEAST_CONTRAST = 5.0
"""The lowest standard deviation, in levels, after an even gradient is subtracted.

Photographs have at least 11, their copies at least 9.
"""
_LEAST_BITS = 24
"""The fewest set bits of a hash. Half are set, unless a flat picture has equal frequencies."""

_Box = tuple[float, float, float, float]
Hashes = NDArray[np.uint64]
"""(8,): the hashes of a picture in the order of `ORIENTATIONS`."""


@dataclass(frozen=True)
class Closeness:
    """The similarity of two pictures by their hashes.

    Attributes:
        distance: The number of different bits in the best orientation.
        orientation: The transformation that brings the second picture into that orientation.
    """

    distance: int
    orientation: Orientation

    @property
    def is_same(self) -> bool:
        """True if the hashes alone show that both are the same picture."""
        return self.distance <= MAX_HASH_DISTANCE

    def reversed(self) -> "Closeness":
        """Return the closeness of the second picture to the first."""
        return Closeness(self.distance, INVERSE[self.orientation])


@dataclass(frozen=True)
class GreyPicture:
    """A picture in grey, and the box in it that lies within uniform borders.

    Hashes and miniatures are both made from one, so that borders are looked for once.
    """

    image: "Image.Image"
    box: _Box

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Self:
        """Return a picture in grey, given all of it squashed to a square (S, S, 3), RGB.

        Squashing changes neither its frequencies nor its orientations.
        """
        # Imported here, because a service without pictures does not need Pillow.
        from PIL import Image

        clean, box = _unframed(pixels)
        rgb = Image.frombytes("RGB", clean.shape[:2], np.ascontiguousarray(clean))
        return cls(rgb.convert("L"), box)

    def scaled(self, side: int) -> NDArray[np.uint8]:
        """Return the box of the picture, scaled to a square (side, side)."""
        from PIL import Image

        return np.asarray(self.image.resize((side, side), Image.Resampling.LANCZOS, self.box))


def hashes_of(picture: GreyPicture) -> Hashes | None:
    """Return the hashes of a picture, or `None` if it has too little contrast to compare."""
    grey = picture.scaled(_SIDE).astype(np.float64)
    if _variance(grey) < _LEAST_CONTRAST**2:
        return None
    mirrored = _MIRRORS * _low_frequencies(grey)
    ranked = np.sort(mirrored.reshape(len(mirrored), -1), axis=1)
    middle = ranked.shape[1] // 2
    medians = ranked[:, middle - 1 : middle + 1].mean(axis=1)
    bits = mirrored > medians[:, np.newaxis, np.newaxis]
    if bits.sum(axis=(1, 2)).min() < _LEAST_BITS:
        return None
    # A rotation by 90 degrees exchanges the directions and mirrors the picture.
    lying = np.concatenate((bits, bits.swapaxes(1, 2)))[_IN_ORDER].reshape(len(ORIENTATIONS), -1)
    return np.packbits(lying, axis=1).view(_STORED).ravel().astype("=u8")


def stored(hashes: Hashes | None) -> bytes:
    """Return hashes in the catalogue's format; empty for `None`."""
    return b"" if hashes is None else hashes.astype(_STORED).tobytes()


def restored(data: bytes | None) -> Hashes | None:
    """Return hashes from the catalogue's format, or raise `ValueError` if they have another."""
    if not data:
        return None
    return np.frombuffer(data, _STORED).astype("=u8").reshape(len(ORIENTATIONS))


def closeness(a: Hashes | None, b: Hashes | None) -> Closeness | None:
    """Return the closeness of two pictures by their hashes; `None` if one of them has none.

    The distance is symmetric: the smaller of b in any orientation against a, and a against b.
    """
    if a is None or b is None:
        return None
    (found,) = closeness_of_each(a, b[np.newaxis])
    return found


def closeness_of_each(a: Hashes, others: NDArray[np.uint64]) -> list[Closeness]:
    """Return the closeness of each of the other pictures, with hashes (N, 8), to `a`."""
    forth = np.bitwise_count(others ^ a[0])
    back = np.bitwise_count(a[np.array(_INVERSE)] ^ others[:, :1])
    distances = np.minimum(forth, back)
    best = distances.argmin(axis=1)
    return [
        Closeness(distance, ORIENTATIONS[orientation])
        for distance, orientation in zip(
            distances[np.arange(len(best)), best].tolist(), best.tolist(), strict=True
        )
    ]


def _low_frequencies(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lowest frequencies (8, 8) of a grey picture (32, 32), by its DCT-II.

    Rounded, the odd frequencies of a symmetric picture are exactly 0, so no rounding error lifts
    them above the median.
    """
    frequencies: NDArray[np.float64] = (_COSINES @ grey @ _COSINES.T).round(_DECIMALS)
    return frequencies


def _unframed(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], _Box]:
    """Return a picture, and the box in it that lies within uniform borders.

    The box is the whole picture if too little would be left. Scaling mixes the lines at the edge
    with the border. The next line replaces them, because a trace of a bright border can be stronger
    than the whole content of a dark picture.
    """
    side, edges, clean = len(pixels), [], pixels
    whole = (0.0, 0.0, side, side)
    if not any(map(_is_uniform, (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))):
        return pixels, whole
    for _ in range(4):  # top, right, bottom and left, each rotated to the top
        edge = _edge(clean)
        if edge > side - _SIDE:
            return pixels, whole
        if edge:
            mixed = min(int(edge) + _MIXED_LINES, side - 1)
            clean = np.concatenate([np.repeat(clean[mixed : mixed + 1], mixed, 0), clean[mixed:]])
        edges.append(edge)
        clean = np.rot90(clean)
    top, right, bottom, left = edges
    if side - left - right < _SIDE or side - top - bottom < _SIDE:
        return pixels, whole
    return clean, (left, top, side - right, side - bottom)


def _edge(lines: NDArray[np.uint8]) -> float:
    """Return the height of the border above the picture, in lines with a fraction; 0 if none."""
    first = lines[0]
    if not _is_uniform(first):
        return 0.0
    colour = np.median(first, axis=0)
    plain = _plain_lines(lines, colour)
    if plain:  # JPEG compression rings into the border
        deviation = np.abs(lines[plain : plain + _RINGING_LINES] - colour)
        rings = deviation.mean(axis=(1, 2)) <= _BORDER_TOLERANCE
        plain += int((~rings).argmax()) if not rings.all() else len(rings)
    if not 0 < plain < len(lines) - _MIXED_LINES:
        return float(plain)
    edge = lines[plain : plain + _MIXED_LINES + 1] - colour
    inside = edge[_MIXED_LINES]
    strength = float((inside * inside).sum())
    shares = (edge[:_MIXED_LINES] * inside).sum(axis=(1, 2)) / max(strength, 1.0)
    return plain + float((1.0 - shares.clip(0.0, 1.0)).sum())


def _is_uniform(line: NDArray[np.uint8]) -> bool:
    channels = np.ascontiguousarray(line.T)  # (3, S), which has long runs
    return bool((np.ptp(channels, axis=1) <= 2 * _BORDER_TOLERANCE).all())


def _plain_lines(lines: NDArray[np.uint8], colour: NDArray[np.float64]) -> int:
    """Return the number of lines before the first one that differs from the border's colour."""
    for at in range(0, len(lines), _LINES_AT_ONCE):
        some = lines[at : at + _LINES_AT_ONCE]
        beyond = np.maximum(some.max(axis=1) - colour, colour - some.min(axis=1))
        differs = (beyond > _BORDER_TOLERANCE).any(axis=1)
        if differs.any():
            return at + int(differs.argmax())
    return len(lines)


def _variance(grey: NDArray[np.float64]) -> float:
    """Return the variance without an even gradient, such as that of an evening sky."""
    rest = grey - grey.mean()
    slopes = np.stack((rest.sum(axis=0), rest.sum(axis=1))) @ _PLACES
    return float((rest**2).mean() - (slopes**2).sum() / (_PLACES**2).sum() / len(grey) ** 3)
