"""Scores, ranks, average precision and recall, as pure functions of arrays.

Among equal scores the relevant pictures rank last, so that a constant score earns nothing.
"""

import numpy as np
from numpy.typing import NDArray


def cosine_scores(
    queries: NDArray[np.float32], gallery: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the exact cosines (Q, G) of queries (Q, D) and a gallery (G, D), rows of unit length.

    The products are summed in double precision and rounded once, so that equal descriptors get
    equal scores wherever in the matrix they stand; sums in single precision differ with the place.
    """
    products = queries.astype(np.float64) @ gallery.astype(np.float64).T
    return products.astype(np.float32)


def ranks_of_relevant(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the ascending ranks (R,) of the relevant pictures, starting from 1.

    `scores` (G,) are those of the ranked pictures, and `relevant` (G,) is a mask of them.
    """
    order = np.lexsort((relevant, -scores))
    return np.flatnonzero(relevant[order]) + 1


def average_precision(ranks: NDArray[np.intp]) -> float:
    """Return the mean of the precision at the ranks of `ranks_of_relevant`, at least one."""
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def recall_at(ranks: NDArray[np.intp], k: int) -> float:
    """Return 1 if at least one relevant picture is among the first `k`, else 0.

    Its mean over queries is the recall@k of place recognition and copy detection.
    """
    return float(ranks[0] <= k)
