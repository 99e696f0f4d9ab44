"""Coarse alignment of small pictures by correlation, over shifts, scales and orientations.

The correlation of two pictures over all circular shifts is a product of their Fourier transforms.
For pictures of 32 x 32 pixels, the transforms are fastest as matrix products, because one matrix
both scales a picture and transforms it. Complex matrices are stored as real ones, with the real
part above the imaginary part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bento_service.pictures.miniature import SIDE

_Floats = NDArray[np.floating[Any]]
COARSE_SIDE = SIDE // 2
"""The side of the pictures, in pixels."""
CANDIDATES = 3
_SCALES = np.exp(0.062 * np.arange(-3, 4))
"""The scales of the search, from 0.83 to 1.2."""
_MOST_STRETCH = 3
"""The largest difference of the horizontal and the vertical scale, in steps."""
_MOST_SHIFT = COARSE_SIDE // 4
"""The longest shift, in pixels; a copy that is cropped to half of its area has one of 5."""
_HALF = COARSE_SIDE // 2 + 1
"""The frequencies across: those of real values repeat beyond the middle."""


def _scaling(scale: float) -> _Floats:
    """Return a matrix (S, S) that scales columns about their middle, with 0 outside."""
    middle = (COARSE_SIDE - 1) / 2
    places = (np.arange(COARSE_SIDE) - middle) / scale + middle
    near = np.abs(places[:, None] - np.arange(COARSE_SIDE))
    scaling: _Floats = (1.0 - near).clip(0.0)
    return scaling


def _stacked(complex_values: NDArray[np.complexfloating[Any]], axis: int) -> _Floats:
    """Return the real parts, followed by the imaginary ones along an axis."""
    parts = [complex_values.real, complex_values.imag]
    return np.concatenate(parts, axis=axis).astype(np.float32)


_FOURIER = np.fft.fft(np.eye(COARSE_SIDE))
_SHIFTS = np.arange(-_MOST_SHIFT, _MOST_SHIFT + 1)
_INVERSE = (np.conj(_FOURIER) / COARSE_SIDE)[_SHIFTS]
"""(shifts, S): transforms back, at these shifts alone."""
_BACK_DOWN = np.block([[_INVERSE.real, -_INVERSE.imag], [_INVERSE.imag, _INVERSE.real]]).astype(
    np.float32
)
_WEIGHTS = np.where(np.arange(_HALF) % (_HALF - 1) == 0, 1.0, 2.0).astype(np.float32)
"""The number of times that each frequency across occurs."""
_BACK_ACROSS = np.stack(
    [_WEIGHTS * _INVERSE.real[:, :_HALF], -_WEIGHTS * _INVERSE.imag[:, :_HALF]]
).astype(np.float32)


@dataclass(frozen=True)
class _Grid:
    """Scales to search, with the matrices that scale and transform a picture.

    Attributes:
        across: (S, scales * 2 * half): scales rows, and transforms them.
        down: For each scale (2 S, S): scales columns, and transforms them.
        near: For each scale down, the scales across that are combined with it.
        scales: The scales down and across of each combination, (P, 2).
    """

    across: _Floats
    down: Sequence[_Floats]
    near: Sequence[slice]
    scales: _Floats

    @classmethod
    def of(cls, steps: range) -> Self:
        """Return a grid of these places among `_SCALES`."""
        scales = _SCALES[steps]
        scalings = [_scaling(scale) for scale in scales]
        across = [_stacked(scaling.T @ _FOURIER[:, :_HALF], 1) for scaling in scalings]
        down = [_stacked(_FOURIER @ scaling, 0) for scaling in scalings]
        most = _MOST_STRETCH // steps.step
        near = [slice(max(0, at - most), at + most + 1) for at in range(len(steps))]
        pairs = [
            (one, other) for one, some in zip(scales, near, strict=True) for other in scales[some]
        ]
        return cls(np.concatenate(across, axis=1), down, near, np.array(pairs))


_EVERY = _Grid.of(range(len(_SCALES)))
_SOME = _Grid.of(range(1, len(_SCALES), 2))
_PAIRS_AT_ONCE = 8  # more of them do not fit into a processor's cache


def best_at_some_scales(fixed: _Floats, moving: _Floats) -> _Floats:
    """Return the best correlations (N, K) at a fifth of the scales, as lower bounds.

    It compares pictures (N, S, S) with others in K orientations, (N, K, S, S).
    """
    parts = [slice(at, at + _PAIRS_AT_ONCE) for at in range(0, len(fixed), _PAIRS_AT_ONCE)]
    found = [_correlated(fixed[part], moving[part], _SOME)[1] for part in parts]
    best: _Floats = np.concatenate(found).reshape(*moving.shape[:2], -1).max(axis=2)
    return best


def candidates(fixed: _Floats, moving: _Floats) -> tuple[float, NDArray[np.intp], _Floats]:
    """Find the positions at which a picture correlates best with another one.

    Shifts of more than a quarter of the side are left out.

    Args:
        fixed: (S, S) float32, the details of a picture.
        moving: (K, S, S) float32, those of the other picture in K orientations.

    Returns:
        The best correlation, and of each candidate, best first, the orientation (C) and the affine
        map (C, 2, 3) from places of the fixed picture to places of the other, both from -1 to 1.
    """
    each_match, (peaks,) = _correlated(fixed[np.newaxis], moving[np.newaxis], _EVERY)
    matches = each_match[:, 0]
    order = np.argsort(-peaks)[:CANDIDATES]
    orientations, pairs = np.divmod(order, len(_EVERY.scales))
    places = matches[:, order].transpose(1, 0, 2).reshape(len(order), -1).argmax(axis=1)
    return float(peaks[order[0]]), orientations, _maps(places, _EVERY.scales[pairs])


def _correlated(fixed: _Floats, moving: _Floats, grid: _Grid) -> tuple[_Floats, _Floats]:
    """Return the correlations at each shift (T, N, K * P, T), and the best ones (N, K * P).

    It compares pictures (N, S, S) with others in K orientations, (N, K, S, S), at P scales.
    """
    lengths = np.sqrt((fixed * fixed).sum(axis=(1, 2), keepdims=True) + 1e-6)
    target = np.fft.rfft2(fixed / lengths).astype(np.complex64).swapaxes(0, 1)
    spectra = _spectra(moving.reshape(-1, *fixed.shape[1:]), grid)
    spectra = spectra.reshape(*spectra.shape[:2], len(fixed), -1, _HALF)  # (2, S, N, K * P, half)
    power = (spectra[0] ** 2 + spectra[1] ** 2).sum(axis=0) @ _WEIGHTS
    real, imaginary = target.real[:, :, None], target.imag[:, :, None]
    product = np.empty_like(spectra)
    product[0] = spectra[0] * real + spectra[1] * imaginary
    product[1] = spectra[1] * real - spectra[0] * imaginary
    back = (_BACK_DOWN @ product.reshape(2 * COARSE_SIDE, -1)).reshape(2, -1, _HALF)
    matches = back[0] @ _BACK_ACROSS[0].T + back[1] @ _BACK_ACROSS[1].T
    matches = matches.reshape(len(_SHIFTS), *power.shape, len(_SHIFTS))
    peaks = matches.max(axis=3).max(axis=0) / np.sqrt(power / COARSE_SIDE**2 + 1e-6)
    return matches, peaks


def _spectra(pictures: _Floats, grid: _Grid) -> _Floats:
    """Return the transforms of pictures (K, S, S) at each pair of scales, (2, S, K, P, half)."""
    count = len(pictures)
    rows = (pictures @ grid.across).reshape(count, COARSE_SIDE, len(grid.down), 2, _HALF)
    columns = rows.transpose(1, 3, 0, 2, 4)  # (S, 2, K, scales, half)
    spectra = np.empty((2, COARSE_SIDE, count, len(grid.scales), _HALF), np.float32)
    start = 0
    for matrix, near in zip(grid.down, grid.near, strict=True):
        chosen = columns[:, :, :, near]
        sizes = chosen.shape[2:]
        both = (matrix @ chosen.reshape(COARSE_SIDE, -1)).reshape(2, COARSE_SIDE, 2, *sizes)
        end = start + sizes[1]
        np.subtract(both[0, :, 0], both[1, :, 1], out=spectra[0, :, :, start:end])
        np.add(both[0, :, 1], both[1, :, 0], out=spectra[1, :, :, start:end])
        start = end
    return spectra


def _maps(places: NDArray[np.intp], scales: _Floats) -> _Floats:
    """Return the affine maps of shifts, given by their place in the correlation, and scales."""
    shifts = _SHIFTS[np.stack(np.divmod(places, len(_SHIFTS)), axis=-1)]
    inverse = 1.0 / scales
    down, across = np.moveaxis(shifts * inverse * 2 / COARSE_SIDE, -1, 0)
    maps = np.zeros((len(places), 2, 3))
    maps[:, 0, 0], maps[:, 0, 2] = inverse[:, 1], across
    maps[:, 1, 1], maps[:, 1, 2] = inverse[:, 0], down
    return maps
