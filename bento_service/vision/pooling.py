"""Descriptors from feature maps: pure functions of arrays.

The saved network pools inside its graph; these are the same definitions in NumPy, for building
golden vectors and for checking the graph.
"""

import numpy as np
from numpy.typing import NDArray


def mac(feature_maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maximum activations of convolutions (Tolias et al., arXiv:1511.05879).

    Args:
        feature_maps: (N, C, H, W) float32.

    Returns:
        (N, C) float32, the maximum of each map over its places; not normalised.
    """
    maxima: NDArray[np.float32] = feature_maps.max(axis=(2, 3))
    return maxima


def l2_normalised(vectors: NDArray[np.float32], eps: float = 1e-12) -> NDArray[np.float32]:
    """Rows of (N, D) divided by their Euclidean length, or by `eps` where they are shorter."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(eps))
    return normalised
