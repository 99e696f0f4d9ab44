"""The mathematics of rankings: scores, ranks, average precision, recall. Pure functions of arrays.

A ranking is taken as bad as the scores allow: among equal scores the relevant pictures come last,
so that a descriptor that gives all pictures one score is not praised for it.
"""

import numpy as np
from numpy.typing import NDArray


def cosine_scores(
    queries: NDArray[np.float32], gallery: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The cosine of every query with every picture of the gallery, exactly.

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
    """Where the relevant pictures stand in the ranking, the first place being 1.

    Args:
        scores: (G,) of the pictures that are ranked, larger is better.
        relevant: (G,) which of them are relevant.

    Returns:
        (R,) ascending, R the number of relevant pictures.
    """
    order = np.lexsort((relevant, -scores))
    return np.flatnonzero(relevant[order]) + 1


def average_precision(ranks: NDArray[np.intp]) -> float:
    """The mean, over the relevant pictures, of the precision at the place of each.

    Args:
        ranks: (R,) ascending places of all relevant pictures, at least one, the first being 1.
    """
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def recall_at(ranks: NDArray[np.intp], k: int) -> float:
    """1 where at least one relevant picture is among the first `k`, else 0.

    Its mean over queries is the recall@k of place recognition and of copies: the share of the
    queries that are answered within the first `k` hits.

    Args:
        ranks: (R,) ascending places of all relevant pictures, at least one, the first being 1.
        k: At least 1.
    """
    return float(ranks[0] <= k)
