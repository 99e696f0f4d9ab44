"""The images of an index that are nearest to a descriptor.

An approximate index returns other neighbours when it is asked for more. So that the pages of one
result neither repeat nor miss an image, it is always asked for the same numbers, the tiers. Images
that a larger tier adds are placed behind those of the smaller tier, even if they are nearer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS, TIERS
from bento_service.search.ranking import nearest_of, ranked


class SearchMethod(StrEnum):
    """The method by which a search found its images, for people."""

    INDEX = "by the index"
    ALL_COMPARED = "compared with every image"
    PASSING_COMPARED = "compared with every image that passes the filter"
    PUSHED_DOWN = "by the index, among the images that pass the filter"
    INDEX_FILTERED = "by the index, leaving out what does not pass the filter"


@dataclass(frozen=True)
class NearestSearch:
    """A search without a filter for the images nearest to a descriptor (D,), of unit length."""

    catalogue: Catalogue
    gallery: Gallery
    index: IndexRecord
    descriptor: NDArray[np.float32]

    def by_index(self, count: int, *, always: Sequence[int] = ()) -> list[Neighbour]:
        """Return at least `count` neighbours if there are so many, and all that tie with the last.

        The images `always` are compared even if an approximate index misses them.

        Raises:
            IndexUnavailable: The index does not answer.
        """
        if self.gallery.kind(self.index.name).is_exact:
            return self._exact(count)
        neighbours: list[Neighbour] = []
        for tier in self.tiers(always=always):
            neighbours += tier
            if len(neighbours) >= count:
                break
        return neighbours

    def _exact(self, count: int) -> list[Neighbour]:
        """Ask for all neighbours that tie with the last; the index orders ties at random."""
        asked = count + 1
        while True:
            near = self.gallery.search(self.index.name, self.descriptor, top_k=asked)
            asked = min(asked, MAX_NEIGHBOURS)
            is_complete = len(near) < asked or asked == MAX_NEIGHBOURS
            # After a kill an embedded index can have a row twice, until replay has repaired it.
            unique = list({hit.image_id: hit for hit in reversed(near)}.values())[::-1]
            if is_complete or (len(unique) > count and unique[-1].score < unique[count - 1].score):
                return ranked(unique)
            asked *= 2

    def tiers(
        self, *, among: Sequence[int] | None = None, always: Sequence[int] = ()
    ) -> Iterator[list[Neighbour]]:
        """Yield the neighbours that each tier of an approximate index adds, best first.

        With `among` only images with these ids are searched; see `by_index` for `always`.
        """
        seen: set[int] = set()
        index, kind = self.index, self.gallery.kind(self.index.name)
        for asked in TIERS:
            near = self.gallery.search(index.name, self.descriptor, top_k=asked, among=among)
            is_last = len(near) < asked or asked == TIERS[-1]
            returned = {hit.image_id for hit in near}
            ids = returned.union(() if seen else always)
            if kind.has_exact_scores and ids == returned:
                scored = ranked(near)
            else:
                batches = self.catalogue.descriptors.of(index, ids)
                scored = nearest_of(batches, self.descriptor, len(ids))
            # Other images that tie with the worst may not have been returned.
            worst = min((hit.score for hit in scored), default=-1.0)
            certain = [
                hit for hit in scored if hit.image_id not in seen and (is_last or hit.score > worst)
            ]
            seen.update(hit.image_id for hit in certain)
            yield certain
            if is_last:
                return

    def compare_all(self, count: int) -> list[Neighbour]:
        """Return the `count` nearest of all images, compared one by one without the index."""
        return nearest_of(self.catalogue.descriptors.all(self.index), self.descriptor, count)
