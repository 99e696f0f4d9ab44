"""The images nearest to a descriptor among those that pass a filter.

The catalogue knows which images pass. If they are few, all of them are compared. Otherwise the
index is asked for more and more neighbours until enough of them pass. If so few of all images pass
that this would take very many neighbours, a server searches among the ids that pass instead, unless
they are too many. Every score comes from the catalogue's descriptors, and the catalogue decides
which images pass, so all methods give the same hits.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
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
        pushed: Most ids that are read beforehand, and that a server is sent.
        far: If so many neighbours contain enough that pass, a server is sent no ids.
        near: If so many neighbours contain enough that pass, no ids are read beforehand.
        neighbours: Most neighbours that the index is asked for.
    """

    compared: int = 2_000
    pushed: int = 50_000
    far: int = 1000
    near: int = 100
    neighbours: int = MAX_NEIGHBOURS


class FilteredSearch:
    """Searches among the images that pass a filter."""

    def __init__(self, catalogue: Catalogue, gallery: Gallery, limits: FilterLimits) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._limits = limits
        self._nearest = NearestSearch(catalogue, gallery)

    def nearest(
        self,
        index: IndexRecord,
        which: Expression,
        descriptor: NDArray[np.float32],
        count: int,
        *,
        pending: Collection[int],
        min_score: float | None = None,
        exact: bool = False,
    ) -> tuple[list[Neighbour], SearchMethod]:
        """Return the `count` best images that pass, equal scores by id, and the method.

        The order of an approximate index is that of `NearestSearch`; with `exact` it is not asked.
        The index may lack the images `pending`. Lower scores than `min_score` are not needed.

        Raises:
            IndexUnavailable: The index does not answer; a filter that few images pass needs none.
        """
        limits, collection_id = self._limits, index.collection_id
        passing = self._catalogue.filtered.count(collection_id, which, limit=limits.pushed + 1)
        search = _Search(self._catalogue, index, which, descriptor, count, min_score)
        if passing <= limits.compared or not index.applied:  # the index may hold none of them
            return search.compared_all(count), SearchMethod.PASSING_COMPARED
        is_exact = self._gallery.kind(index.name).is_exact
        if exact and not is_exact:
            return search.compared_all(count), SearchMethod.PASSING_COMPARED
        images = self._catalogue.images.count(collection_id)
        # All pages of an approximate result have to be found by the same method.
        needed = (count if is_exact else _USUAL_HITS) * images / passing
        if passing <= limits.pushed and needed > limits.near:
            search.known = set(self._catalogue.filtered.ids(collection_id, which))
        is_far = needed > limits.far and not self._gallery.is_embedded
        among = sorted(search.known) if search.known and is_far else None
        method = SearchMethod.INDEX_FILTERED if among is None else SearchMethod.PUSHED_DOWN
        if not is_exact:
            return self._by_tiers(search, set(pending), among), method
        neighbours = self._exact(search, set(pending), among)
        if neighbours is None:
            return search.compared_all(count), SearchMethod.PASSING_COMPARED
        return neighbours, method

    def _exact(
        self, search: "_Search", new: set[int], among: Sequence[int] | None
    ) -> list[Neighbour] | None:
        """Search an exact index; return `None` if too few of its neighbours pass."""
        passing: list[Neighbour] = []
        seen: set[int] = set()
        most = self._limits.neighbours
        asked = min((_GROWTH if among is None else 1) * search.count + 1, most)
        while True:
            near = self._gallery.search(
                search.index.name, search.descriptor, top_k=asked, among=among
            )
            new = (new | {hit.image_id for hit in near}) - seen
            seen |= new
            passing += search.compared(new)
            if len(near) < asked:
                return ranked(passing)[: search.count]
            # Images no better than the worst neighbour may tie with some that were not returned.
            worst = near[-1].score + _NOISE
            certain = [hit for hit in ranked(passing) if hit.score > worst]
            if len(certain) >= search.count or search.is_below(worst):
                return certain[: search.count]
            if asked == most:
                return None
            asked = min(_GROWTH * asked, most)

    def _by_tiers(
        self, search: "_Search", pending: set[int], among: Sequence[int] | None
    ) -> list[Neighbour]:
        """Search an approximate index; if too few neighbours pass, compare all that pass."""
        neighbours: list[Neighbour] = []
        for tier in self._tiers(search, pending, among):
            neighbours += tier
            if len(neighbours) >= search.count or (tier and search.is_below(tier[-1].score)):
                return neighbours[: search.count]
        if among is None:
            known = {hit.image_id for hit in neighbours}
            others = search.compared_all(search.count + len(known))
            neighbours += [hit for hit in others if hit.image_id not in known]
        return neighbours[: search.count]

    def _tiers(
        self, search: "_Search", pending: set[int], among: Sequence[int] | None
    ) -> Iterator[list[Neighbour]]:
        """Yield the neighbours of each tier that pass, with pending images at their scores."""
        lacking = search.compared(pending)
        for tier in self._nearest.tiers(search.index, search.descriptor, among=among):
            if tier:
                worst = tier[-1].score
                nearer = [hit for hit in lacking if hit.score > worst]
                lacking = lacking[len(nearer) :]
                passing = search.compared({hit.image_id for hit in tier} - pending)
                yield ranked([*passing, *nearer])
        yield lacking


@dataclass
class _Search:
    """One filtered query, with its comparisons.

    Attributes:
        known: Ids of all images that pass, if they were read beforehand.
    """

    catalogue: Catalogue
    index: IndexRecord
    which: Expression
    descriptor: NDArray[np.float32]
    count: int
    min_score: float | None
    known: set[int] | None = None

    def compared(self, image_ids: Iterable[int]) -> list[Neighbour]:
        """Return those of these images that pass, with their scores, best first."""
        if self.known is not None:
            ids = self.known.intersection(image_ids)
            batches = self.catalogue.descriptors.of(self.index, ids)
        else:
            ids = set(image_ids)
            batches = self.catalogue.filtered.descriptors(
                self.index.collection_id, self.which, index_id=self.index.id, among=ids
            )
        return nearest_of(batches, self.descriptor, len(ids))

    def compared_all(self, count: int) -> list[Neighbour]:
        """Return the best of all images that pass, without the index."""
        batches = self.catalogue.filtered.descriptors(
            self.index.collection_id, self.which, index_id=self.index.id
        )
        return nearest_of(batches, self.descriptor, count)

    def is_below(self, score: float) -> bool:
        """Return true if neighbours with lower scores are not needed."""
        return self.min_score is not None and score < self.min_score
