"""The images of an index that are nearest to a descriptor, exactly or by an approximate index.

An approximate index returns other neighbours when it is asked for more of them. So that the pages
of one result neither repeat nor miss an image, it is asked always for the same numbers, and what
a larger number brings to light comes behind what a smaller one had found, even where it is nearer.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS, TIERS
from bento_service.search.ranking import nearest_of, presentable, ranked


class Way(StrEnum):
    """How an answer was found."""

    INDEX = "by the index"
    ALL_COMPARED = "compared with every image"
    PASSING_COMPARED = "compared with every image that passes the filter"
    PUSHED_DOWN = "by the index, among the images that pass the filter"
    INDEX_FILTERED = "by the index, leaving out what does not pass the filter"


class Nearest:
    """Searches without a filter."""

    def __init__(self, catalogue: Catalogue, gallery: Gallery) -> None:
        self._catalogue = catalogue
        self._gallery = gallery

    def by_index(
        self,
        index: IndexRecord,
        descriptor: NDArray[np.float32],
        count: int,
        *,
        surely: Sequence[int] = (),
    ) -> list[Neighbour]:
        """At least `count` neighbours where there are so many, with all that tie with the last.

        Args:
            index: Which is asked.
            descriptor: (D,) float32, of unit length.
            count: How many.
            surely: Images that are found if they are near enough, also where the index is
                approximate and misses them: the query's own.

        Raises:
            IndexUnavailable: Milvus does not answer.
        """
        if self._gallery.kind(index.name).is_exact:
            return self._exactly(index.name, descriptor, count)
        found: list[Neighbour] = []
        for tier in self.tiers(index, descriptor, surely=surely):
            found += tier
            if len(found) >= count:
                break
        return found

    def _exactly(
        self, index_name: str, descriptor: NDArray[np.float32], count: int
    ) -> list[Neighbour]:
        """Milvus orders equal scores as it likes, so all of them are needed to order them by id."""
        asked = count + 1
        while True:
            near = self._gallery.search(index_name, descriptor, top_k=asked)
            asked = min(asked, MAX_NEIGHBOURS)
            is_whole = len(near) < asked or asked == MAX_NEIGHBOURS
            # After a kill Milvus Lite can hold a row twice, until replay has noticed.
            once = list({one.image_id: one for one in reversed(near)}.values())[::-1]
            if is_whole or (
                len(once) > count
                and presentable(once[-1].score) < presentable(once[count - 1].score)
            ):
                return ranked(once)
            asked *= 2

    def tiers(
        self,
        index: IndexRecord,
        descriptor: NDArray[np.float32],
        *,
        condition: str = "",
        surely: Sequence[int] = (),
    ) -> Iterator[list[Neighbour]]:
        """What an approximate index finds, tier by tier, each best first and ties by id.

        Args:
            index: Which is asked.
            descriptor: (D,) float32, of unit length.
            condition: Only images that fulfil it, in Milvus' words.
            surely: As for `by_index`.
        """
        seen: set[int] = set()
        kind = self._gallery.kind(index.name)
        for asked in TIERS:
            near = self._gallery.search(index.name, descriptor, top_k=asked, condition=condition)
            is_last = len(near) < asked or asked == TIERS[-1]
            ids = {one.image_id for one in near}.union(() if seen else surely)
            if kind.has_exact_scores and ids <= {one.image_id for one in near}:
                scored = ranked(near)
            else:
                scored = self.compared(index, descriptor, ids)
            # What ties with the worst may have rivals that were not returned.
            worst = min((one.score for one in scored), default=-1.0)
            certain = [
                one for one in scored if one.image_id not in seen and (is_last or one.score > worst)
            ]
            seen.update(one.image_id for one in certain)
            yield certain
            if is_last:
                return

    def compared(
        self, index: IndexRecord, descriptor: NDArray[np.float32], ids: set[int]
    ) -> list[Neighbour]:
        """These images with their cosines, by the catalogue's descriptors."""
        return nearest_of(self._catalogue.vectors.of(index, ids), descriptor, len(ids))

    def among_all(
        self, index: IndexRecord, descriptor: NDArray[np.float32], count: int
    ) -> list[Neighbour]:
        """The `count` nearest of all images, compared one by one without asking Milvus."""
        return nearest_of(self._catalogue.vectors.all(index), descriptor, count)
