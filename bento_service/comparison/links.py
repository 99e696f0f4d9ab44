"""The images of a collection that each of some images belongs together with.

Two images do if their score is high enough, or if their hashes say so and each is among the nearest
of the other. That holds from both sides or from none, so it does not matter from which of them
somebody looks.
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
from bento_service.search.ranking import presentable, ranked
from bento_service.search.searcher import tail

IMAGES_A_CALL = 64
"""Images whose neighbours are looked for together: Milvus Lite takes hardly longer for them than
for eight, and who searches meanwhile waits for one call at most."""
_NEAREST = 16
"""Neighbours that are looked at unless all of them are near enough."""
MOST_NEIGHBOURS = 256
"""Neighbours that an image may have here; the nearest of them."""
_MOST_HELD = 50_000
"""Links that are held between two groups, about 300 bytes each."""
_Linked = dict[int, Likeness]


@dataclass(frozen=True)
class _Near:
    """What an image's neighbours are to it, where they may belong together."""

    likely: _Linked
    is_cut: bool


class Neighbourhood:
    """Looks at one state of an index. What was looked at is kept for a while."""

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        index: IndexRecord,
        lines: Thresholds,
        *,
        min_score: float,
    ) -> None:
        """Prepare.

        Args:
            catalogue: The truth.
            gallery: The index over it.
            index: Which is asked.
            lines: Of its descriptors.
            min_score: From which score on images belong together.

        Raises:
            IndexUnavailable: The index is too far behind.
        """
        self._catalogue = catalogue
        self._gallery = gallery
        self._index = index
        self._lines = lines
        self._min_score = min_score
        # Read before the index is asked: a change is then in the index, in here, or in both.
        changes = tail(catalogue, index)
        living = [change for change in changes if not change.deleted]
        self._changed = {change.image_id for change in changes}
        self._beside = np.array([change.image_id for change in living], np.int64)
        vectors = [change.descriptor for change in living]
        self._vectors = np.stack(vectors) if vectors else np.empty((0, index.space.dimension))
        self._near: dict[int, _Near] = {}

    def forget_if_much(self) -> None:
        """Give memory back; what is asked for again is looked for again."""
        if sum(len(near.likely) for near in self._near.values()) > _MOST_HELD:
            self._near.clear()

    def linked(self, image_ids: Sequence[int]) -> dict[int, _Linked]:
        """For each of these images, those that it belongs together with.

        Raises:
            IndexUnavailable: Milvus does not answer.
        """
        self._look_at(image_ids)
        near = {one: self._near[one].likely for one in image_ids}
        self._look_at(
            {other for one in near.values() for other in one if self._is_weak(one[other])}
        )
        return {
            one: {
                other: likeness
                for other, likeness in likely.items()
                if not self._is_weak(likeness) or one in self._near[other].likely
            }
            for one, likely in near.items()
        }

    def is_cut(self, image_id: int) -> bool:
        """Whether an image that was looked at has more neighbours than are looked at."""
        return self._near[image_id].is_cut

    def has_before(self, image_id: int) -> bool:
        """Whether an image with a smaller id has a score that is high enough.

        Among a great many equal pictures that one may be none of the nearest.
        """
        (vector,) = self._descriptors([image_id]).values()
        name, found = self._index.name, []
        if self._index.applied:
            found = self._gallery.search(name, vector, top_k=_NEAREST, below=image_id)
        near = self._merged(found, vector)
        living = self._catalogue.hashes.of([one.image_id for one in near])
        return any(
            one.image_id < image_id and one.image_id in living and one.score >= self._min_score
            for one in near
        )

    def _is_weak(self, likeness: Likeness) -> bool:
        return likeness.score < self._min_score

    def _look_at(self, image_ids: Iterable[int]) -> None:
        ids = [one for one in image_ids if one not in self._near]
        for at in range(0, len(ids), IMAGES_A_CALL):
            vectors = self._descriptors(ids[at : at + IMAGES_A_CALL])
            near = self._nearest(vectors)
            known = {other.image_id for one in near.values() for other in one}
            hashes = {
                image_id: restored(data)
                for image_id, data in self._catalogue.hashes.of(known | vectors.keys()).items()
            }
            for one, others in near.items():
                self._near[one] = self._judged(one, others, hashes)
            for one in ids[at : at + IMAGES_A_CALL]:  # deleted meanwhile
                self._near.setdefault(one, _Near({}, is_cut=False))

    def _descriptors(self, image_ids: Iterable[int]) -> dict[int, NDArray[np.float32]]:
        return {
            int(image_id): vector
            for ids, vectors in self._catalogue.vectors.of(self._index, image_ids)
            for image_id, vector in zip(ids, vectors, strict=True)
        }

    def _nearest(self, vectors: Mapping[int, NDArray[np.float32]]) -> dict[int, list[Neighbour]]:
        """The nearest of each image, itself left out; more of them where all are near enough."""
        near = self._asked(vectors, _NEAREST)
        crowded = {
            one: vectors[one]
            for one, others in near.items()
            if len(others) == _NEAREST and others[-1].score >= self._min_score
        }
        return {**near, **self._asked(crowded, MOST_NEIGHBOURS)}

    def _asked(
        self, vectors: Mapping[int, NDArray[np.float32]], count: int
    ) -> dict[int, list[Neighbour]]:
        if not vectors:
            return {}
        found: list[list[Neighbour]] = [[] for _ in vectors]
        if self._index.applied:
            queries = np.stack(list(vectors.values()))
            found = self._gallery.search_each(self._index.name, queries, top_k=count + 1)
        return {
            one: [other for other in self._merged(near, vector) if other.image_id != one][:count]
            for (one, vector), near in zip(vectors.items(), found, strict=True)
        }

    def _merged(self, found: Sequence[Neighbour], vector: NDArray[np.float32]) -> list[Neighbour]:
        """What the index found and what it lacks, best first; each image once."""
        scores = (self._vectors @ vector).tolist()
        beside = [Neighbour(*one) for one in zip(self._beside.tolist(), scores, strict=True)]
        rest = self._scored([one for one in found if one.image_id not in self._changed], vector)
        return list({one.image_id: one for one in ranked([*rest, *beside])}.values())

    def _scored(self, found: list[Neighbour], vector: NDArray[np.float32]) -> list[Neighbour]:
        """With their cosines, where the index gives those of rounded descriptors."""
        if self._index.applied == 0 or self._gallery.kind(self._index.name).has_exact_scores:
            return found
        exact = self._descriptors([one.image_id for one in found])
        return [
            Neighbour(image_id, presentable(float(other @ vector)))
            for image_id, other in exact.items()
        ]

    def _judged(
        self, one: int, others: Sequence[Neighbour], hashes: Mapping[int, Hashes | None]
    ) -> _Near:
        # Those that are not among the hashes were deleted meanwhile.
        living = [other for other in others if other.image_id in hashes and one in hashes]
        near = _closeness(hashes[one], living, hashes) if living else {}
        likely: _Linked = {}
        for other in living:
            likeness = Likeness(
                score=other.score,
                same_bytes=False,  # the same bytes are one image
                closeness=near.get(other.image_id),
                lines=self._lines,
            )
            if likeness.score >= self._min_score or likeness.has_same_hash:
                likely[other.image_id] = likeness
        full = len(others) == MOST_NEIGHBOURS and others[-1].score >= self._min_score
        return _Near(likely, is_cut=full)


def _closeness(
    own: Hashes | None, others: Sequence[Neighbour], hashes: Mapping[int, Hashes | None]
) -> dict[int, Closeness]:
    """Of those that have hashes, where the image itself has."""
    known = {
        other.image_id: its
        for other in others
        if own is not None and (its := hashes[other.image_id]) is not None
    }
    if own is None or not known:
        return {}
    return dict(zip(known, closeness_of_each(own, np.stack(list(known.values()))), strict=True))
