"""Links between the images of a collection that are duplicates or nearly so.

Two images are linked if their score is high enough, or if their hashes match and each is among the
nearest of the other. Links are symmetric, so it does not matter from which image they are found.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.comparison.verdict import Likeness
from bento_service.descriptors.version import Thresholds
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.pictures.perceptual_hash import Closeness, Hashes, closeness_of_each, restored
from bento_service.search.pending import pending_changes
from bento_service.search.ranking import presentable, ranked

_NEAREST = 16
"""Neighbours that are examined, unless all of them are near enough."""
_MAX_CACHED = 50_000
"""Links that are cached between two groups, about 300 bytes each."""
_Linked = dict[int, Likeness]


@dataclass(frozen=True)
class LinkLimits:
    """The limits of finding links.

    Attributes:
        images_per_call: Images whose neighbours are searched together. Milvus Lite takes hardly
            longer for 64 of them than for eight, and a concurrent search waits for one call.
        neighbours: Most neighbours of an image that are examined.
    """

    images_per_call: int = 64
    neighbours: int = 256


@dataclass(frozen=True)
class _Examined:
    """The neighbours of an image that may be linked with it; `is_cut` if there may be more."""

    likely: _Linked
    is_cut: bool


class Links:
    """The links of images in one state of an index, found as needed and cached for a while.

    Images are linked from `min_score` on; `lines` are the thresholds of the descriptor version. The
    constructor reads the changes that the index lacks.

    Raises:
        IndexUnavailable: The index lacks too many changes, or does not answer.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        index: IndexRecord,
        lines: Thresholds,
        *,
        min_score: float,
        limits: LinkLimits,
    ) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._index = index
        self._lines = lines
        self._min_score = min_score
        self._limits = limits
        changes = pending_changes(catalogue, index)
        living = [change for change in changes if not change.deleted]
        self._changed = {change.image_id for change in changes}
        self._pending_ids = [change.image_id for change in living]
        vectors = [change.descriptor for change in living]
        self._pending = np.stack(vectors) if vectors else np.empty((0, index.space.dimension))
        self._examined: dict[int, _Examined] = {}

    def evict_if_large(self) -> None:
        """Clear the cache if it holds too many links."""
        if sum(len(examined.likely) for examined in self._examined.values()) > _MAX_CACHED:
            self._examined.clear()

    def of(self, image_ids: Sequence[int]) -> dict[int, _Linked]:
        """Return the links of each of these images."""
        self._examine(image_ids)
        likely = {image_id: self._examined[image_id].likely for image_id in image_ids}
        self._examine(
            {
                other
                for linked in likely.values()
                for other in linked
                if self._is_weak(linked[other])
            }
        )
        return {
            image_id: {
                other: likeness
                for other, likeness in linked.items()
                if not self._is_weak(likeness) or image_id in self._examined[other].likely
            }
            for image_id, linked in likely.items()
        }

    def is_cut(self, image_id: int) -> bool:
        """Return whether an image that was examined may have more links."""
        return self._examined[image_id].is_cut

    def has_smaller(self, image_id: int) -> bool:
        """Return whether an image with a smaller id has a score that is high enough.

        Among a great many equal pictures it may not be one of the nearest.
        """
        (vector,) = self._descriptors([image_id]).values()
        near: list[Neighbour] = []
        if self._index.applied:
            near = self._gallery.search(self._index.name, vector, top_k=_NEAREST, below=image_id)
        near = self._merged(near, vector)
        living = self._catalogue.hashes.of([hit.image_id for hit in near])
        return any(
            hit.image_id < image_id and hit.image_id in living and hit.score >= self._min_score
            for hit in near
        )

    def _is_weak(self, likeness: Likeness) -> bool:
        return likeness.score < self._min_score

    def _examine(self, image_ids: Iterable[int]) -> None:
        ids = [image_id for image_id in image_ids if image_id not in self._examined]
        size = self._limits.images_per_call
        for some in (ids[at : at + size] for at in range(0, len(ids), size)):
            vectors = self._descriptors(some)
            near = self._nearest(vectors)
            known = {other.image_id for others in near.values() for other in others}
            hashes = {
                image_id: restored(data)
                for image_id, data in self._catalogue.hashes.of(known | vectors.keys()).items()
            }
            for image_id, others in near.items():
                self._examined[image_id] = self._judged(image_id, others, hashes)
            for image_id in some:  # deleted meanwhile
                self._examined.setdefault(image_id, _Examined({}, is_cut=False))

    def _descriptors(self, image_ids: Iterable[int]) -> dict[int, NDArray[np.float32]]:
        return {
            int(image_id): vector
            for ids, vectors in self._catalogue.descriptors.of(self._index, image_ids)
            for image_id, vector in zip(ids, vectors, strict=True)
        }

    def _nearest(self, vectors: Mapping[int, NDArray[np.float32]]) -> dict[int, list[Neighbour]]:
        """Return the nearest others of each image; more of them if all are near enough."""
        near = self._searched(vectors, _NEAREST)
        crowded = {
            image_id: vectors[image_id]
            for image_id, others in near.items()
            if len(others) == _NEAREST and others[-1].score >= self._min_score
        }
        return {**near, **self._searched(crowded, self._limits.neighbours)}

    def _searched(
        self, vectors: Mapping[int, NDArray[np.float32]], count: int
    ) -> dict[int, list[Neighbour]]:
        if not vectors:
            return {}
        hits: list[list[Neighbour]] = [[] for _ in vectors]
        if self._index.applied:
            queries = np.stack(list(vectors.values()))
            hits = self._gallery.search_each(self._index.name, queries, top_k=count + 1)
        return {
            image_id: [hit for hit in self._merged(near, vector) if hit.image_id != image_id][
                :count
            ]
            for (image_id, vector), near in zip(vectors.items(), hits, strict=True)
        }

    def _merged(self, near: Sequence[Neighbour], vector: NDArray[np.float32]) -> list[Neighbour]:
        """Merge the index's neighbours with pending images, best first, each image once."""
        scores = (self._pending @ vector).tolist()
        pending = [Neighbour(*hit) for hit in zip(self._pending_ids, scores, strict=True)]
        applied = [hit for hit in near if hit.image_id not in self._changed]
        neighbours = ranked([*self._exactly_scored(applied, vector), *pending])
        return list({hit.image_id: hit for hit in neighbours}.values())

    def _exactly_scored(
        self, near: list[Neighbour], vector: NDArray[np.float32]
    ) -> list[Neighbour]:
        """Replace the scores of an index that holds rounded descriptors."""
        if self._index.applied == 0 or self._gallery.kind(self._index.name).has_exact_scores:
            return near
        descriptors = self._descriptors([hit.image_id for hit in near])
        return [
            Neighbour(image_id, presentable(float(other @ vector)))
            for image_id, other in descriptors.items()
        ]

    def _judged(
        self, image_id: int, others: Sequence[Neighbour], hashes: Mapping[int, Hashes | None]
    ) -> _Examined:
        # Images without an entry in `hashes` were deleted meanwhile.
        living = [other for other in others if other.image_id in hashes and image_id in hashes]
        closeness = _closeness(hashes[image_id], living, hashes) if living else {}
        likely: _Linked = {}
        for other in living:
            likeness = Likeness(
                score=other.score,
                same_bytes=False,  # a collection holds the same bytes as one image
                closeness=closeness.get(other.image_id),
                lines=self._lines,
            )
            if likeness.score >= self._min_score or likeness.has_same_hash:
                likely[other.image_id] = likeness
        is_full = len(others) == self._limits.neighbours
        return _Examined(likely, is_cut=is_full and others[-1].score >= self._min_score)


def _closeness(
    own: Hashes | None, others: Sequence[Neighbour], hashes: Mapping[int, Hashes | None]
) -> dict[int, Closeness]:
    """Return the closeness of the hashes of an image and of each other that has hashes."""
    if own is None:
        return {}
    known = {
        other.image_id: theirs for other in others if (theirs := hashes[other.image_id]) is not None
    }
    if not known:
        return {}
    return dict(zip(known, closeness_of_each(own, np.stack(list(known.values()))), strict=True))
