"""Putting images into the order in which they are shown."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import Change
from bento_service.gallery.gallery import Neighbour

DIGITS = 6
"""Of a score; a cosine of float32 vectors has no more."""


def merged(
    neighbours: Sequence[Neighbour], tail: Sequence[Change], descriptor: NDArray[np.float32]
) -> list[Neighbour]:
    """Best first, ties by id; where both know an image, the tail is right."""
    changed = {change.image_id for change in tail}
    kept = [near for near in neighbours if near.image_id not in changed]
    living = [change for change in tail if not change.deleted]
    if living:
        scores = np.stack([change.descriptor for change in living]) @ descriptor
        kept += [Neighbour(c.image_id, float(s)) for c, s in zip(living, scores, strict=True)]
    return ranked(kept)


def ranked(neighbours: Iterable[Neighbour]) -> list[Neighbour]:
    """Best first, ties by id, with presentable scores."""
    rounded = [Neighbour(near.image_id, presentable(near.score)) for near in neighbours]
    return sorted(rounded, key=lambda near: (-near.score, near.image_id))


def presentable(score: float) -> float:
    """A cosine of float32 vectors without the digits that are noise, and never beyond 1."""
    return min(1.0, max(-1.0, round(score, DIGITS)))
