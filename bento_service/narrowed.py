"""The images nearest to a descriptor among those that pass a filter.

The catalogue knows which images pass. Few of them are compared all. Where they are many, the index
is asked for more and more neighbours until enough of them pass; every score still comes from the
catalogue's descriptors, so that both ways give the same hits in the same order.
"""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.filters.expressions import Expression
from bento_service.gallery.gallery import MAX_NEIGHBOURS, Gallery, Neighbour
from bento_service.ranking import ranked

MAX_COMPARED = 2_000
"""Images that are compared without asking the index; one costs 35 µs, mostly to read its row."""
_GROWTH = 4
_NOISE = 2e-6
"""Between a score of the index and ours."""


class Narrowed:
    """Searches among the images that pass a filter."""

    def __init__(self, catalogue: Catalogue, gallery: Gallery) -> None:
        self._catalogue = catalogue
        self._gallery = gallery

    def nearest(
        self,
        index: IndexRecord,
        which: Expression,
        descriptor: NDArray[np.float32],
        count: int,
        *,
        beside: Collection[int],
        min_score: float | None = None,
    ) -> list[Neighbour]:
        """The best, ties by id.

        Args:
            index: Which descriptors are searched.
            which: The filter.
            descriptor: (D,) float32, of unit length.
            count: At most so many.
            beside: Images that the index may lack.
            min_score: Worse ones are not needed.

        Raises:
            IndexUnavailable: Milvus does not answer; a filter that few images pass needs no Milvus.
        """
        passing = self._catalogue.filtered.count(index.collection_id, which, limit=MAX_COMPARED + 1)
        if passing > MAX_COMPARED and index.applied:  # otherwise the index holds none of them
            found = self._by_index(index, which, descriptor, count, set(beside), min_score)
            if found is not None:
                return found[:count]
        return ranked(self._compared(index, which, descriptor))[:count]

    def _by_index(
        self,
        index: IndexRecord,
        which: Expression,
        descriptor: NDArray[np.float32],
        count: int,
        new: set[int],
        min_score: float | None,
    ) -> list[Neighbour] | None:
        """`None` where the index does not return enough that pass."""
        kept: list[Neighbour] = []
        seen: set[int] = set()
        asked = min(_GROWTH * count, MAX_NEIGHBOURS)
        while True:
            near = self._gallery.search(index.name, descriptor, top_k=asked)
            new = (new | {one.image_id for one in near}) - seen
            seen |= new
            kept += self._compared(index, which, descriptor, among=new)
            if len(near) < asked:
                return ranked(kept)
            # What is no better than the worst neighbour may have rivals that were not returned.
            worst = near[-1].score + _NOISE
            certain = [one for one in ranked(kept) if one.score > worst]
            if len(certain) >= count or (min_score is not None and worst < min_score):
                return certain
            if asked == MAX_NEIGHBOURS:
                return None
            asked = min(_GROWTH * asked, MAX_NEIGHBOURS)

    def _compared(
        self,
        index: IndexRecord,
        which: Expression,
        descriptor: NDArray[np.float32],
        *,
        among: Iterable[int] | None = None,
    ) -> list[Neighbour]:
        """Every image that passes, or those `among` these, with its cosine."""
        query = descriptor.astype(np.float64)
        parts = self._catalogue.filtered.descriptors(
            index.collection_id, which, index_id=index.id, among=among
        )
        return [
            Neighbour(int(image_id), float(score))
            for ids, vectors in parts
            for image_id, score in zip(ids, vectors.astype(np.float64) @ query, strict=True)
        ]
