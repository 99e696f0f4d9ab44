"""Links between the images of a collection that are duplicates or nearly so.

Two images are linked if they are duplicates and each is among the nearest of the other, or if their
score is at least the caller's. Links are symmetric, so it does not matter from which image they are
found.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.comparison.alignment import Alignment, Pair, align
from bento_service.comparison.neighbours import Neighbours
from bento_service.comparison.stored_prints import (
    closeness_by_id,
    stored_hashes,
    stored_miniatures,
)
from bento_service.comparison.verdict import Likeness
from bento_service.descriptors.version import Thresholds
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.pictures.perceptual_hash import Closeness, Hashes
from client_sdk.schemas.compare import Verdict

_NEAREST = 16
"""Neighbours that are examined, unless all of them are near enough."""
_ALIGNED = 2
"""The nearest that are aligned with an image; others are too if score or hash are closer."""
_MAX_CACHED = 50_000
"""Links that are cached, about 300 bytes each."""
_MAX_EXAMINED = 200_000
"""Images that are cached, about 100 bytes each."""
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


_ALONE = _Examined({}, is_cut=False)
"""An image without links, as most are; all of them share it."""


class Links:
    """The links of images in one state of an index, found as needed and cached for a while.

    Duplicates are linked, and any images from `min_score` on, if that is given; `lines` are the
    thresholds of the descriptor version. The constructor reads the changes that the index lacks.

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
        min_score: float | None,
        limits: LinkLimits,
    ) -> None:
        self._catalogue = catalogue
        self._neighbours = Neighbours(catalogue, gallery, index)
        self._lines = lines
        self._min_score = np.inf if min_score is None else min_score
        self._limits = limits
        self._examined: dict[int, _Examined] = {}
        self._cached_links = 0
        # Those of linked images, by the smaller id and the larger one.
        self._alignments: dict[tuple[int, int], Alignment] = {}

    def evict_if_large(self) -> None:
        """Clear the cache if it holds too many links or images."""
        if self._cached_links > _MAX_CACHED or len(self._examined) > _MAX_EXAMINED:
            self._examined.clear()
            self._alignments.clear()
            self._cached_links = 0

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
        """Return true if an image that was examined may have more links."""
        return self._examined[image_id].is_cut

    def has_smaller(self, image_id: int) -> bool:
        """Return true if an image with a smaller id has a score that is high enough.

        Among a great many equal pictures it may not be one of the nearest.
        """
        near = self._neighbours.below(image_id, _NEAREST)
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
            vectors = self._neighbours.descriptors(some)
            near = self._nearest(vectors)
            known = {other.image_id for others in near.values() for other in others}
            hashes = stored_hashes(self._catalogue, known | vectors.keys())
            judged = {
                image_id: self._judged(image_id, others, hashes)
                for image_id, others in near.items()
            }
            aligned = self._aligned(judged)
            for image_id, others in near.items():
                likely = {**judged[image_id], **aligned[image_id]}
                likely = {other: like for other, like in likely.items() if self._is_link(like)}
                is_full = len(others) == self._limits.neighbours
                is_cut = is_full and others[-1].score >= self._min_score
                self._cache(image_id, _Examined(likely, is_cut) if likely or is_cut else _ALONE)
            for image_id in some:  # deleted meanwhile
                self._examined.setdefault(image_id, _ALONE)

    def _cache(self, image_id: int, examined: _Examined) -> None:
        self._examined[image_id] = examined
        self._cached_links += len(examined.likely)
        for other, likeness in examined.likely.items():
            if likeness.alignment is not None:
                pair, aligned = _ordered(image_id, other), likeness.alignment
                self._alignments[pair] = aligned.reversed() if image_id > other else aligned

    def _nearest(self, vectors: Mapping[int, NDArray[np.float32]]) -> dict[int, list[Neighbour]]:
        """Return the nearest others of each image; more of them if all are near enough."""
        near = self._neighbours.of(vectors, _NEAREST)
        crowded = {
            image_id: vectors[image_id]
            for image_id, others in near.items()
            if len(others) == _NEAREST and others[-1].score >= self._min_score
        }
        return {**near, **self._neighbours.of(crowded, self._limits.neighbours)}

    def _is_link(self, likeness: Likeness) -> bool:
        return not self._is_weak(likeness) or likeness.verdict is Verdict.DUPLICATE

    def _aligned(self, judged: Mapping[int, _Linked]) -> dict[int, _Linked]:
        """Return the likenesses that each image proposes, with their alignments."""
        proposed = {
            image_id: self._proposed(image_id, linked) for image_id, linked in judged.items()
        }
        closeness: dict[tuple[int, int], Closeness | None] = {}
        for image_id, linked in proposed.items():
            for other, likeness in linked.items():
                pair, near = _ordered(image_id, other), likeness.closeness
                closeness[pair] = near.reversed() if near and image_id > other else near
        new = [pair for pair in closeness if pair not in self._alignments]
        small = stored_miniatures(self._catalogue, {image_id for pair in new for image_id in pair})
        known = [pair for pair in new if pair[0] in small and pair[1] in small]
        pairs = [Pair(small[a], small[b], closeness[a, b]) for a, b in known]
        alignments = ChainMap(dict(zip(known, align(pairs), strict=True)), self._alignments)
        return {
            image_id: {
                other: replace(likeness, alignment=_turned(alignments, image_id, other))
                for other, likeness in linked.items()
            }
            for image_id, linked in proposed.items()
        }

    def _proposed(self, image_id: int, linked: _Linked) -> _Linked:
        """Return those of an image's nearest that may be the same picture."""
        return {
            other: likeness
            for place, (other, likeness) in enumerate([*linked.items()][:_NEAREST])
            if likeness.is_proposed
            and (place < _ALIGNED or likeness.is_close)
            and not self._is_refused(image_id, other, likeness)
        }

    def _is_refused(self, image_id: int, other: int, likeness: Likeness) -> bool:
        """Return true if the other image was examined and has no link to this one."""
        examined = self._examined.get(other)
        is_open = examined is None or image_id in examined.likely
        return self._is_weak(likeness) and not is_open

    def _judged(
        self, image_id: int, others: Sequence[Neighbour], hashes: Mapping[int, Hashes | None]
    ) -> _Linked:
        # Images without an entry in `hashes` were deleted meanwhile.
        living = [other for other in others if other.image_id in hashes and image_id in hashes]
        theirs = {other.image_id: hashes[other.image_id] for other in living}
        closeness = closeness_by_id(hashes.get(image_id), theirs)
        return {
            other.image_id: Likeness(
                cosine=other.cosine,
                same_bytes=False,  # a collection holds the same bytes as one image
                closeness=closeness.get(other.image_id),
                lines=self._lines,
            )
            for other in living
        }


def _turned(
    alignments: Mapping[tuple[int, int], Alignment], image_id: int, other: int
) -> Alignment | None:
    """Return the alignment of the other image with this one."""
    alignment = alignments.get(_ordered(image_id, other))
    return alignment.reversed() if alignment and image_id > other else alignment


def _ordered(image_id: int, other: int) -> tuple[int, int]:
    return min(image_id, other), max(image_id, other)
