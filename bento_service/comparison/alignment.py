"""Alignment of miniatures: confirms that two pictures show the same, apart from edits.

A copy may be scaled, cropped, stretched, turned, mirrored, tilted a little, and partly covered. So
one miniature is aligned with the other by an affine transformation: a coarse search over scales by
correlation, then Gauss-Newton steps (Baker and Matthews, "Lucas-Kanade 20 Years On", 2004). The
agreement is the share of the detail that then correlates locally. Two photographs of the same scene
agree in outlines, but not in so many details.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.comparison.coarse_alignment import (
    CANDIDATES,
    COARSE_SIDE,
    best_at_some_scales,
    candidates,
)
from bento_service.pictures.miniature import SIDE, Miniature
from bento_service.pictures.perceptual_hash import INVERSE, ORIENTATIONS, Closeness
from client_sdk.schemas.compare import Orientation

_Floats = NDArray[np.floating[Any]]
_COARSE_STEPS, _STEPS = 4, 8
"""Gauss-Newton steps of each candidate at half the side, and of the best one at the whole side."""
_LEAST_STEP = 2e-4
"""The largest change of a map after which the steps end: less than a hundredth of a pixel."""
_LEAST_HINT, _LEAST_PEAK, _LEAST_FIT = 0.3, 0.42, 0.65
"""The lowest correlations of a copy: at some scales of the coarse search, at all of them, and after
the coarse steps."""
_LEAST_LIKELY = 0.6
"""The lowest hint of an orientation that is searched at all scales, divided by the best hint."""
_LEAST_CORRELATION = 0.9
"""The lowest local correlation of equal detail."""
_LEAST_CONTRAST = 4.0
"""The lowest local standard deviation of detail, in levels."""
_LEAST_SHARE = 0.05
"""The lowest share of detail in a picture that can be distinguished from others."""
_LEAST_AGREEMENT_WITH_HASH = 0.25
LEAST_AGREEMENT = 0.6
"""The lowest agreement of copies; see `docs/duplicates.md`."""


@dataclass(frozen=True)
class Alignment:
    """The result of aligning two miniatures.

    Attributes:
        agreement: The share of the overlapping detail that is the same.
        orientation: The transformation that turns the second picture like the first.
        contradicts_hash: True if the pictures differ in detail although their hashes are the same.
    """

    agreement: float
    orientation: Orientation
    contradicts_hash: bool

    @property
    def is_same(self) -> bool:
        """True if both show the same picture."""
        return self.agreement >= LEAST_AGREEMENT

    def reversed(self) -> "Alignment":
        """Return the alignment of the first picture with the second."""
        return replace(self, orientation=INVERSE[self.orientation])


@dataclass(frozen=True)
class Pair:
    """Two pictures to align; the closeness of their hashes proposes an orientation."""

    first: Miniature
    second: Miniature
    closeness: Closeness | None


def gaussian_blur(side: int, sigma: float) -> _Floats:
    """Return a matrix (side, side) that blurs columns; rows near the edge are normalised."""
    places = np.arange(side)
    weights = np.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2)
    blur: _Floats = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    # Products with subnormal numbers are slow, and too small to change a sum of levels.
    blur[blur < np.finfo(np.float32).tiny] = 0
    return blur


_BLURS = {side: gaussian_blur(side, side * 0.047) for side in (COARSE_SIDE, SIDE)}
_WINDOW = gaussian_blur(SIDE, 1.5)


def align(pairs: Sequence[Pair]) -> list[Alignment]:
    """Align the second miniature of each pair with the first one."""
    if not pairs:
        return []
    fixed = np.stack([pair.first for pair in pairs]).astype(np.float32)
    numbers = np.arange(len(pairs))
    orientations = np.array([_proposed(pair.closeness) for pair in pairs])
    turned = np.stack(
        [
            [_oriented(pair.second, orientation) for orientation in proposed]
            for pair, proposed in zip(pairs, orientations.tolist(), strict=True)
        ]
    ).astype(np.float32)
    agreements, chosen = np.zeros(len(pairs)), np.zeros_like(numbers)
    left, tried, starts = _starts(_detail(_halved(fixed)), _detail(_halved(turned)))
    if left.size:
        fits, maps, chosen[left] = _best(fixed[left], turned[left], tried, starts)
        left, maps = left[fits >= _LEAST_FIT], maps[fits >= _LEAST_FIT]
    if left.size:
        moving = turned[left, chosen[left]]
        maps = _refined(fixed[left], moving, maps, _STEPS)
        agreements[left] = _agreement(fixed[left], moving, maps)
    found = orientations[numbers, chosen]
    return [
        Alignment(agreement, ORIENTATIONS[at], _contradicts_hash(pair, agreement))
        for pair, agreement, at in zip(pairs, agreements.tolist(), found, strict=True)
    ]


def _contradicts_hash(pair: Pair, agreement: float) -> bool:
    if agreement >= _LEAST_AGREEMENT_WITH_HASH or not (pair.closeness and pair.closeness.is_same):
        return False
    return min(map(_detail_share, (pair.first, pair.second))) >= _LEAST_SHARE


def _proposed(closeness: Closeness | None) -> tuple[int, int, int]:
    """Return the orientations to try: upright, mirrored, and that of the hashes."""
    likely = closeness.orientation if closeness else Orientation.TURNED_180
    is_tried = likely in (Orientation.UPRIGHT, Orientation.MIRRORED)
    third = Orientation.TURNED_180 if is_tried else likely
    return (0, ORIENTATIONS.index(Orientation.MIRRORED), ORIENTATIONS.index(third))


def _best(
    fixed: _Floats, turned: _Floats, tried: NDArray[np.intp], starts: _Floats
) -> tuple[_Floats, _Floats, NDArray[np.intp]]:
    """Refine the candidates at half the side; return the best fits, their maps, orientations."""
    numbers = np.arange(len(fixed))
    each = np.repeat(numbers, CANDIDATES)
    small, moving = _halved(fixed)[each], _halved(turned[each, tried.ravel()])
    maps = _refined(small, moving, starts.reshape(-1, 2, 3), _COARSE_STEPS)
    fits = _fit(small, moving, maps).reshape(-1, CANDIDATES)
    best = np.argmax(fits, axis=1)
    chosen = maps[numbers * CANDIDATES + best]
    return fits[numbers, best], chosen, tried[numbers, best]


def _oriented(picture: Miniature, orientation: int) -> Miniature:
    """Return a picture in one of the `ORIENTATIONS`, given by its place there."""
    mirrored, quarters = divmod(orientation, 4)
    return np.rot90(picture[:, ::-1] if mirrored else picture, -quarters)


def _halved(pictures: _Floats) -> _Floats:
    """Return pictures (..., S, S) at half their side."""
    lines = pictures[..., ::2, :] + pictures[..., 1::2, :]
    halved: _Floats = (lines[..., ::2] + lines[..., 1::2]) / 4
    return halved


def _detail(pictures: _Floats) -> _Floats:
    """Return pictures without their coarse brightness, with an even local contrast."""
    blur = _BLURS[pictures.shape[-1]]
    fine = pictures - blur @ pictures @ blur.T
    return fine / np.sqrt(blur @ (fine * fine) @ blur.T + 36.0)


def _starts(fixed: _Floats, turned: _Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], _Floats]:
    """Return where to align details (N, S, S) with others in K orientations, (N, K, S, S).

    Returns:
        The places of those that correlate, and the candidates of each of them: orientations
        (left, C), and maps (left, C, 2, 3).
    """
    hints = best_at_some_scales(fixed, turned)
    best = hints.max(axis=1)
    found: list[tuple[np.intp, NDArray[np.intp], _Floats]] = []
    for at in np.flatnonzero(best >= _LEAST_HINT):  # most pairs of other pictures end here
        likely = np.flatnonzero(hints[at] >= _LEAST_LIKELY * best[at])
        peak, tried, maps = candidates(fixed[at], turned[at, likely])
        if peak >= _LEAST_PEAK:
            found.append((at, likely[tried], maps))
    if not found:
        return np.empty(0, np.intp), np.empty((0, CANDIDATES), np.intp), np.empty(0)
    numbers, orientations, starts = zip(*found, strict=True)
    return np.array(numbers), np.stack(orientations), np.stack(starts)


def _grid(side: int) -> tuple[_Floats, _Floats]:
    """Return the places of pixels across (1, 1, S) and down (1, S, 1), from -1 to 1."""
    places = ((2 * np.arange(side) - side + 1) / side).astype(np.float32)
    return places[None, None, :], places[None, :, None]


def _warped(pictures: _Floats, maps: _Floats) -> tuple[_Floats, _Floats]:
    """Return pictures (N, S, S) at places, mapped by (N, 2, 3), and 1 where these lie inside."""
    side = pictures.shape[-1]
    x, y = _grid(side)
    m = (maps * (side / 2)).astype(np.float32)[..., None, None]
    middle = np.float32((side - 1) / 2)
    across = (m[:, 0, 0] * x + (m[:, 0, 2] + middle)) + m[:, 0, 1] * y
    down = m[:, 1, 0] * x + (m[:, 1, 1] * y + (m[:, 1, 2] + middle))
    inside = (across > -0.5) & (across < side - 0.5) & (down > -0.5) & (down < side - 0.5)
    across, down = across.clip(0, side - 1.001), down.clip(0, side - 1.001)
    left, top = across.astype(np.intp), down.astype(np.intp)
    across, down = across - left, down - top
    corner = top * side + left + side * side * np.arange(len(pictures))[:, None, None]
    flat = pictures.ravel()
    first, below = flat.take(corner), flat.take(corner + side)
    upper = first + across * (flat.take(corner + 1) - first)
    lower = below + across * (flat.take(corner + side + 1) - below)
    return upper + down * (lower - upper), inside.astype(np.float32)


def _refined(fixed: _Floats, moving: _Floats, maps: _Floats, steps: int) -> _Floats:
    """Improve affine maps (N, 2, 3) by inverse compositional Gauss-Newton steps.

    Covered parts count little.
    """
    side = fixed.shape[-1]
    target, source = _detail(fixed), _detail(moving)
    down, across = np.gradient(target, axis=(1, 2))
    x, y = _grid(side)
    slopes = np.stack([across * x, across * y, across, down * x, down * y, down], axis=1)
    slopes = slopes.reshape(len(fixed), 6, side * side) * (side / 2)
    change = np.tile(np.eye(3), (len(fixed), 1, 1))
    for _ in range(steps):
        warped, inside = _warped(source, maps)
        error = (warped - target).reshape(len(fixed), 1, side * side)
        weights = inside.reshape(len(fixed), 1, side * side) / (1.0 + (error / 0.7) ** 2)
        weighted = slopes * weights
        normal = (weighted @ slopes.swapaxes(1, 2)).astype(np.float64) + 1e-3 * np.eye(6)
        right = (weighted @ error.swapaxes(1, 2)).astype(np.float64)
        step = np.linalg.solve(normal, right).clip(-0.2, 0.2)
        change[:, :2] = step.reshape(-1, 2, 3) + np.eye(2, 3)
        maps = maps @ np.linalg.inv(change)
        if np.abs(step).max() < _LEAST_STEP:
            break
    return maps


def _fit(fixed: _Floats, moving: _Floats, maps: _Floats) -> _Floats:
    """Return how well the details (N, S, S) of aligned pictures correlate where they overlap."""
    detail = _detail(fixed)
    warped, inside = _warped(_detail(moving), maps)

    def total(values: _Floats) -> _Floats:
        sums: _Floats = (values * inside).sum(axis=(1, 2), dtype=np.float64)
        return sums

    # Strong edges count no more than other detail.
    lengths = total(np.minimum(detail**2, 1)) * total(np.minimum(warped**2, 1))
    return total(np.clip(detail * warped, -1, 1)) / np.sqrt(lengths + 1e-6)


def _detail_share(picture: Miniature) -> float:
    """Return the share of a picture that has detail."""
    levels = picture.astype(np.float32)
    mean = _WINDOW @ levels @ _WINDOW.T
    variance = _WINDOW @ (levels * levels) @ _WINDOW.T - mean * mean
    return float((variance > _LEAST_CONTRAST**2).mean())


def _agreement(fixed: _Floats, moving: _Floats, maps: _Floats) -> _Floats:
    """Return the share of the detail that is the same in both pictures."""
    warped, inside = _warped(moving, maps)
    weight = _WINDOW @ inside @ _WINDOW.T + 1e-6

    def mean(values: _Floats) -> _Floats:
        return _WINDOW @ (values * inside) @ _WINDOW.T / weight

    mean_a, mean_b = mean(fixed), mean(warped)
    var_a = (mean(fixed * fixed) - mean_a * mean_a).clip(0)
    var_b = (mean(warped * warped) - mean_b * mean_b).clip(0)
    product = mean(fixed * warped) - mean_a * mean_b
    same = product > _LEAST_CORRELATION * np.sqrt((var_a + 1.0) * (var_b + 1.0))
    detailed = (np.maximum(var_a, var_b) > _LEAST_CONTRAST**2) * inside
    shares: _Floats = (same * detailed).sum(axis=(1, 2)) / (detailed.sum(axis=(1, 2)) + 1e-6)
    return shares
