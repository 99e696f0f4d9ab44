"""Scores, ranks, average precision and recall, as pure functions of arrays.

Among equal scores the relevant pictures rank last, so that a constant score earns nothing.
"""

import numpy as np
from numpy.typing import NDArray


def cosine_scores(
    queries: NDArray[np.float32], gallery: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the exact cosine of every query with every picture of the gallery.

    The products are summed in double precision and rounded once, so that equal descriptors get
    equal scores wherever in the matrix they stand; sums in single precision differ with the place.

    Args:
        queries: (Q, D) float32, rows of unit length.
        gallery: (G, D) float32, rows of unit length.

    Returns:
        (Q, G) float32.
    """
    products = queries.astype(np.float64) @ gallery.astype(np.float64).T
    return products.astype(np.float32)


def ranks_of_relevant(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the ranks of the relevant pictures, starting from 1.

    Args:
        scores: (G,) scores of the ranked pictures, larger is better.
        relevant: (G,) mask of the relevant ones.

    Returns:
        (R,) ascending, R the number of relevant pictures.
    """
    order = np.lexsort((relevant, -scores))
    return np.flatnonzero(relevant[order]) + 1


def average_precision(ranks: NDArray[np.intp]) -> float:
    """Return the mean, over the relevant pictures, of the precision at their ranks.

    Args:
        ranks: (R,) ascending ranks of all relevant pictures, at least one, from 1.
    """
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def recall_at(ranks: NDArray[np.intp], k: int) -> float:
    """Return 1 if at least one relevant picture is among the first `k`, else 0.

    Its mean over queries is the recall@k of place recognition and copy detection.

    Args:
        ranks: (R,) ascending ranks of all relevant pictures, at least one, from 1.
        k: Number of first places, at least 1.
    """
    return float(ranks[0] <= k)
