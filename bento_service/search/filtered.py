"""The images nearest to a descriptor among those that pass a filter.

The catalogue knows which images pass. If they are few, all of them are compared. Otherwise the
index is asked for more and more neighbours until enough of them pass. If so few of all images pass
that this would take very many neighbours, a server searches among the ids that pass instead, unless
they are too many. Every score comes from the catalogue's descriptors, and the catalogue decides
which images pass, so all methods give the same hits.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import DescriptorBatch, IndexRecord
from bento_service.filters.expressions import Expression
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS
from bento_service.search.nearest import NearestSearch, SearchMethod
from bento_service.search.ranking import nearest_of, ranked

_USUAL_HITS = 10
_GROWTH = 4
_NOISE = 2e-6
"""The largest difference between a score of the index and one of the catalogue's descriptors."""


@dataclass(frozen=True)
class FilterLimits:
    """The limits that choose the method of a filtered search.

    Attributes:
        compared: Most images that are compared without the index, at 35 µs each.
        ids: Most ids that are read beforehand, and that a server is sent.
        read_above: Ids are read beforehand if more neighbours than this would be needed.
        send_above: A server is sent ids if more neighbours than this would be needed.
        neighbours: Most neighbours that the index is asked for.
    """

    compared: int = 2_000
    ids: int = 50_000
    read_above: int = 100
    send_above: int = 1000
    neighbours: int = MAX_NEIGHBOURS


@dataclass
class FilteredSearch:
    """A search for the images that are nearest to a descriptor among those that pass a filter.

    Attributes:
        which: The filter.
        descriptor: (D,) float32, of unit length.
        count: The number of images that are needed.
        min_score: Images with lower scores are not needed.
    """

    catalogue: Catalogue
    gallery: Gallery
    limits: FilterLimits
    index: IndexRecord
    which: Expression
    descriptor: NDArray[np.float32]
    count: int
    min_score: float | None
    _known: set[int] | None = field(default=None, init=False)  # all that pass, if read beforehand

    def nearest(
        self, *, pending: Collection[int], exact: bool
    ) -> tuple[list[Neighbour], SearchMethod]:
        """Return the best images that pass, equal scores by id, and the method.

        The order of an approximate index is that of `NearestSearch`; with `exact` it is not asked.
        The index may lack the images `pending`.

        Raises:
            IndexUnavailable: The index does not answer; a filter that few images pass needs none.
        """
        index, limits = self.index, self.limits
        filtered = self.catalogue.filtered
        passing = filtered.count(index.collection_id, self.which, limit=limits.ids + 1)
        if passing <= limits.compared or not index.applied:  # the index may hold none of them
            return self._compared_all(self.count), SearchMethod.PASSING_COMPARED
        is_exact = self.gallery.kind(index.name).is_exact
        if exact and not is_exact:
            return self._compared_all(self.count), SearchMethod.PASSING_COMPARED
        images = self.catalogue.images.count(index.collection_id)
        # All pages of an approximate result have to be found by the same method.
        needed = (self.count if is_exact else _USUAL_HITS) * images / passing
        if passing <= limits.ids and needed > limits.read_above:
            self._known = set(filtered.ids(index.collection_id, self.which))
        is_far = needed > limits.send_above and not self.gallery.is_embedded
        among = sorted(self._known) if self._known and is_far else None
        method = SearchMethod.INDEX_FILTERED if among is None else SearchMethod.PUSHED_DOWN
        if not is_exact:
            return self._by_tiers(set(pending), among), method
        neighbours = self._exact(set(pending), among)
        if neighbours is None:
            return self._compared_all(self.count), SearchMethod.PASSING_COMPARED
        return neighbours, method

    def _exact(self, new: set[int], among: Sequence[int] | None) -> list[Neighbour] | None:
        """Search an exact index; return `None` if too few of its neighbours pass."""
        passing: list[Neighbour] = []
        seen: set[int] = set()
        most = self.limits.neighbours
        asked = min((_GROWTH if among is None else 1) * self.count + 1, most)
        while True:
            near = self.gallery.search(self.index.name, self.descriptor, top_k=asked, among=among)
            new = (new | {hit.image_id for hit in near}) - seen
            seen |= new
            passing += self._compared(new)
            if len(near) < asked:
                return ranked(passing)[: self.count]
            # Images no better than the worst neighbour may tie with some that were not returned.
            worst = near[-1].score + _NOISE
            certain = [hit for hit in ranked(passing) if hit.score > worst]
            if len(certain) >= self.count or self._is_unneeded(worst):
                return certain[: self.count]
            if asked == most:
                return None
            asked = min(_GROWTH * asked, most)

    def _by_tiers(self, pending: set[int], among: Sequence[int] | None) -> list[Neighbour]:
        """Search an approximate index; if too few neighbours pass, compare all that pass."""
        neighbours: list[Neighbour] = []
        for tier in self._tiers(pending, among):
            neighbours += tier
            if len(neighbours) >= self.count or (tier and self._is_unneeded(tier[-1].score)):
                return neighbours[: self.count]
        if among is None:
            known = {hit.image_id for hit in neighbours}
            others = self._compared_all(self.count + len(known))
            neighbours += [hit for hit in others if hit.image_id not in known]
        return neighbours[: self.count]

    def _tiers(self, pending: set[int], among: Sequence[int] | None) -> Iterator[list[Neighbour]]:
        """Yield the neighbours of each tier that pass, with pending images at their scores."""
        lacking = self._compared(pending)
        search = NearestSearch(self.catalogue, self.gallery, self.index, self.descriptor)
        for tier in search.tiers(among=among):
            if tier:
                worst = tier[-1].score
                nearer = [hit for hit in lacking if hit.score > worst]
                lacking = lacking[len(nearer) :]
                passing = self._compared({hit.image_id for hit in tier} - pending)
                yield ranked([*passing, *nearer])
        yield lacking

    def _compared(self, image_ids: set[int]) -> list[Neighbour]:
        """Return those of these images that pass, with their scores, best first."""
        if self._known is not None:
            image_ids = self._known & image_ids
            batches = self.catalogue.descriptors.of(self.index, image_ids)
        else:
            batches = self._passing(among=image_ids)
        return nearest_of(batches, self.descriptor, len(image_ids))

    def _compared_all(self, count: int) -> list[Neighbour]:
        """Return the best of all images that pass, without the index."""
        return nearest_of(self._passing(among=None), self.descriptor, count)

    def _passing(self, *, among: set[int] | None) -> Iterator[DescriptorBatch]:
        return self.catalogue.filtered.descriptors(
            self.index.collection_id, self.which, index_id=self.index.id, among=among
        )

    def _is_unneeded(self, score: float) -> bool:
        return self.min_score is not None and score < self.min_score
