"""Pooling of feature maps to descriptors, as pure functions of arrays.

The saved networks pool inside their graphs. These are the same definitions in NumPy, for golden
vectors and for checking the graphs.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.version import Part, Pooling

GEM_FLOOR = 1e-6
"""The value to which GeM raises smaller numbers."""


def mac(feature_maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the maximum (N, C) of each map (N, C, H, W): MAC (Tolias et al., arXiv:1511.05879)."""
    maxima: NDArray[np.float32] = feature_maps.max(axis=(2, 3))
    return maxima


def gem(feature_maps: NDArray[np.float32], exponent: float) -> NDArray[np.float32]:
    """Return the generalised mean (N, C) of each map (N, C, H, W), the mean of x^p to the 1/p.

    See Radenovic et al., arXiv:1711.02512. Values below 1e-6 count as 1e-6.
    """
    powers = np.maximum(feature_maps, np.float32(GEM_FLOOR)).astype(np.float64) ** exponent
    means: NDArray[np.float32] = (powers.mean(axis=(2, 3)) ** (1.0 / exponent)).astype(np.float32)
    return means


def rmac(feature_maps: NDArray[np.float32], levels: int, eps: float = 1e-12) -> NDArray[np.float32]:
    """Return the sum (N, C) of the normalised MACs of regions in square maps (N, C, S, S).

    See Tolias et al., arXiv:1511.05879; this is without whitening. Norms are at least `eps`.
    """
    side = feature_maps.shape[2]
    total = np.zeros(feature_maps.shape[:2], np.float32)
    for size, starts in rmac_regions(side, levels):
        for top in starts:
            for left in starts:
                region = feature_maps[:, :, top : top + size, left : left + size]
                total = total + l2_normalised(mac(region), eps)
    return total


def rmac_regions(side: int, levels: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Return the size and the start positions of R-MAC's regions in a square map, for each level.

    Level l has l x l regions of side 2S / (l + 1), rounded down, spread evenly. In a square map
    both axes have the same start positions.
    """
    regions = []
    for level in range(1, levels + 1):
        size = max(1, 2 * side // (level + 1))
        starts = tuple(place * (side - size) // max(1, level - 1) for place in range(level))
        regions.append((size, starts))
    return tuple(regions)


def l2_normalised(vectors: NDArray[np.float32], eps: float = 1e-12) -> NDArray[np.float32]:
    """Return the rows of (N, D), each divided by its Euclidean length, or by `eps` if shorter."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(eps))
    return normalised


def pooled(pooling: Pooling, taps: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return descriptors (N, D), rows of unit length, from feature maps (N, C, H, W) by name."""
    parts = [
        np.float32(part.weight) * l2_normalised(_pooled_part(part, taps, pooling.eps), pooling.eps)
        for part in pooling.parts
    ]
    joined = np.sum(parts, axis=0) if pooling.joined == "sum" else np.concatenate(parts, axis=1)
    return l2_normalised(joined, pooling.eps)


def _pooled_part(
    part: Part, taps: Mapping[str, NDArray[np.float32]], eps: float
) -> NDArray[np.float32]:
    maps = taps[part.tap]
    if part.pooling == "mac":
        return mac(maps)
    if part.parameter is None:
        raise ValueError(f"{part.pooling} needs a parameter")
    if part.pooling == "gem":
        return gem(maps, part.parameter)
    return rmac(maps, part.parameter, eps)
