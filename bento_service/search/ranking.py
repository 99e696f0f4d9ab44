"""Putting images into the order in which they are shown."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import Change
from bento_service.gallery.gallery import Neighbour

DIGITS = 6
"""Of a score; a cosine of float32 vectors has no more."""
_Place = tuple[float, int]


def merged(
    neighbours: Sequence[Neighbour], tail: Sequence[Change], descriptor: NDArray[np.float32]
) -> list[Neighbour]:
    """Put the changes that the index lacks into what it found.

    Where both know an image, the tail is right. What the index found keeps its order, which is not
    always that of the scores: see `Nearest`.
    """
    changed = {change.image_id for change in tail}
    places: list[tuple[_Place, int, Neighbour]] = []
    place = (-2.0, 0)
    for number, near in enumerate(neighbours):
        place = max(place, _place(near))
        if near.image_id not in changed:
            places.append((place, number, near))
    living = [change for change in tail if not change.deleted]
    if living:
        scores = np.stack([change.descriptor for change in living]) @ descriptor
        for change, score in zip(living, scores, strict=True):
            near = Neighbour(change.image_id, presentable(float(score)))
            places.append((_place(near), -1, near))
    return [near for _, _, near in sorted(places, key=lambda one: one[:2])]


def _place(near: Neighbour) -> _Place:
    return (-near.score, near.image_id)


def ranked(neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Best first, ties by id, with presentable scores."""
    rounded = [Neighbour(near.image_id, presentable(near.score)) for near in neighbours]
    return sorted(rounded, key=lambda near: (-near.score, near.image_id))


def presentable(score: float) -> float:
    """A cosine of float32 vectors without the digits that are noise, and never beyond 1."""
    return min(1.0, max(-1.0, round(score, DIGITS)))


def distance_of(score: float) -> float:
    """Euclidean distance of two unit vectors with this cosine: `sqrt(2 - 2 score)`."""
    return math.sqrt(max(0.0, 2.0 - 2.0 * score))


def nearest_of(
    parts: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    query: NDArray[np.float32],
    count: int,
) -> list[Neighbour]:
    """The best of many images that are compared one by one, ties by id.

    Args:
        parts: Ids (N,) and their descriptors (N, D), of which one part is held at a time.
        query: (D,) float32, of unit length, to which they are compared.
        count: How many are returned at the most.
    """
    best = _Best(query, count)
    for ids, vectors in parts:
        best.add(ids, vectors)
    return best.ranked()


class _Best:
    """The best of many images, of which only so many are kept at a time."""

    def __init__(self, query: NDArray[np.float32], count: int) -> None:
        self._query = query.astype(np.float64)
        self._count = count
        self._ids = np.empty(0, np.int64)
        self._scores = np.empty(0)

    def add(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Compare images; ids (N,), their descriptors (N, D)."""
        scores = np.round(vectors.astype(np.float64) @ self._query, DIGITS).clip(-1.0, 1.0)
        ids, scores = np.concatenate([self._ids, ids]), np.concatenate([self._scores, scores])
        best = np.lexsort((ids, -scores))[: self._count]
        self._ids, self._scores = ids[best], scores[best]

    def ranked(self) -> list[Neighbour]:
        """Best first, ties by id."""
        pairs = zip(self._ids.tolist(), self._scores.tolist(), strict=True)
        return [Neighbour(image_id, score) for image_id, score in pairs]
