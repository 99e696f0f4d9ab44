"""The order in which images are shown: by score, equal scores by id."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import Change, DescriptorBatch
from bento_service.gallery.gallery import Neighbour

DIGITS = 6
"""Decimal places of a score; a cosine of float32 vectors has no more."""


def merged(
    neighbours: Sequence[Neighbour], pending: Sequence[Change], descriptor: NDArray[np.float32]
) -> list[Neighbour]:
    """Merge the changes that an index lacks into the neighbours that it returned.

    A pending change overrides the index. The neighbours keep their order, which is not always that
    of their scores; see `NearestSearch`.

    Args:
        neighbours: The index's neighbours, best first.
        pending: Changes that the index has not applied.
        descriptor: (D,) float32 of the query.
    """
    changed = {change.image_id for change in pending}
    ranks: list[tuple[tuple[float, int], int, Neighbour]] = []
    rank = (-2.0, 0)
    for number, near in enumerate(neighbours):
        rank = max(rank, _rank(near))
        if near.image_id not in changed:
            ranks.append((rank, number, near))
    living = [change for change in pending if not change.deleted]
    if living:
        scores = np.stack([change.descriptor for change in living]) @ descriptor
        for change, score in zip(living, scores, strict=True):
            near = Neighbour(change.image_id, presentable(float(score)))
            ranks.append((_rank(near), -1, near))
    return [near for _, _, near in sorted(ranks, key=lambda entry: entry[:2])]


def ranked(neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Sort neighbours, best first, equal scores by id, and round their scores."""
    rounded = [Neighbour(near.image_id, presentable(near.score)) for near in neighbours]
    return sorted(rounded, key=_rank)


def _rank(near: Neighbour) -> tuple[float, int]:
    return (-near.score, near.image_id)


def presentable(score: float) -> float:
    """Round a cosine of float32 vectors to its exact digits, and limit it to [-1, 1]."""
    return min(1.0, max(-1.0, round(score, DIGITS)))


def distance_of(score: float) -> float:
    """Return the Euclidean distance of two unit vectors with this cosine: `sqrt(2 - 2 score)`."""
    return math.sqrt(max(0.0, 2.0 - 2.0 * score))


def nearest_of(
    batches: Iterable[DescriptorBatch], query: NDArray[np.float32], count: int
) -> list[Neighbour]:
    """Compare every image with a query; return the `count` best, equal scores by id.

    Args:
        batches: Ids (N,) and descriptors (N, D), of which one batch is in memory at a time.
        query: (D,) float32, of unit length.
        count: Most neighbours to return.
    """
    wide = query.astype(np.float64)
    best_ids, best_scores = np.empty(0, np.int64), np.empty(0)
    for ids, vectors in batches:
        scores = np.round(vectors.astype(np.float64) @ wide, DIGITS).clip(-1.0, 1.0)
        ids, scores = np.concatenate([best_ids, ids]), np.concatenate([best_scores, scores])
        best = np.lexsort((ids, -scores))[:count]
        best_ids, best_scores = ids[best], scores[best]
    pairs = zip(best_ids.tolist(), best_scores.tolist(), strict=True)
    return [Neighbour(image_id, score) for image_id, score in pairs]
