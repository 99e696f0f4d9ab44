"""The order in which images are shown: by score, equal scores by id."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import Change, DescriptorBatch
from bento_service.gallery.cosines import SCORE_DIGITS
from bento_service.gallery.gallery import Neighbour


def merged(
    neighbours: Sequence[Neighbour], pending: Sequence[Change], descriptor: NDArray[np.float32]
) -> list[Neighbour]:
    """Merge the changes that an index lacks into the neighbours that it returned.

    A pending change overrides the index. The neighbours keep their order, which is not always that
    of their scores; see `NearestSearch`. `descriptor` is that of the query, (D,).
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
        vectors = np.stack([change.descriptor for change in living]).astype(np.float64)
        cosines = vectors @ descriptor
        for change, cosine in zip(living, cosines, strict=True):
            near = Neighbour(change.image_id, float(cosine))
            ranks.append((_rank(near), -1, near))
    return [near for _, _, near in sorted(ranks, key=lambda entry: entry[:2])]


def ranked(neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Sort neighbours, best first, equal scores by id."""
    return sorted(neighbours, key=_rank)


def _rank(near: Neighbour) -> tuple[float, int]:
    return (-near.score, near.image_id)


def nearest_of(
    batches: Iterable[DescriptorBatch], query: NDArray[np.float32], count: int
) -> list[Neighbour]:
    """Compare every image with a query (D,); return the `count` best, equal scores by id."""
    wide = query.astype(np.float64)
    best_ids, best_cosines = np.empty(0, np.int64), np.empty(0)
    for ids, vectors in batches:
        ids = np.concatenate([best_ids, ids])
        cosines = np.concatenate([best_cosines, vectors.astype(np.float64) @ wide])
        best = np.lexsort((ids, -np.round(cosines, SCORE_DIGITS).clip(-1.0, 1.0)))[:count]
        best_ids, best_cosines = ids[best], cosines[best]
    return list(map(Neighbour, best_ids.tolist(), best_cosines.tolist()))
