"""The images nearest to a descriptor among those that pass a filter.

The catalogue knows which images pass. Few of them are compared all. Where they are more, the index
is asked for more and more neighbours until enough of them pass. Where they lie so far apart that
this would be very many, a Milvus server is told their ids instead, if they are not too many. Every
score comes from the catalogue's descriptors, and so does the last word on who passes, so all ways
give the same hits.
"""

from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import IndexRecord
from bento_service.filters.expressions import Expression
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS
from bento_service.search.nearest import Nearest, Way
from bento_service.search.ranking import nearest_of, ranked

MAX_COMPARED = 2_000
"""Images that are compared without asking the index; one costs 35 µs, mostly to read its row."""
MAX_PUSHED = 50_000
"""Ids that are read beforehand, and that a Milvus server is told at the most."""
FAR = 1000
"""Neighbours among which enough pass, by their share; beyond that a server is told the ids."""
NEAR = 100
"""The same; beyond that the ids of all that pass are read, not looked up for each neighbour."""
_USUAL = 10
"""Hits that are asked for."""
_GROWTH = 4
_NOISE = 2e-6
"""Between a score of the index and ours."""

Found = tuple[list[Neighbour], Way]


class Narrowed:
    """Searches among the images that pass a filter."""

    def __init__(self, catalogue: Catalogue, gallery: Gallery) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._nearest = Nearest(catalogue, gallery)

    def nearest(
        self,
        index: IndexRecord,
        which: Expression,
        descriptor: NDArray[np.float32],
        count: int,
        *,
        beside: Collection[int],
        min_score: float | None = None,
        exact: bool = False,
    ) -> Found:
        """The best, and how they were found.

        They are in their order, ties by id; see `Nearest` for approximate indexes.

        Args:
            index: Which descriptors are searched.
            which: The filter.
            descriptor: (D,) float32, of unit length.
            count: At most so many.
            beside: Images that the index may lack.
            min_score: Worse ones are not needed.
            exact: Whether an approximate index may not be asked.

        Raises:
            IndexUnavailable: Milvus does not answer; a filter that few images pass needs no Milvus.
        """
        passing = self._catalogue.filtered.count(index.collection_id, which, limit=MAX_PUSHED + 1)
        if passing > MAX_COMPARED and index.applied:  # otherwise the index holds none of them
            is_exact = self._gallery.kind(index.name).is_exact
            images = self._catalogue.images.count(index.collection_id)
            # All pages of an approximate answer have to come the same way.
            among = (count if is_exact else _USUAL) * images / passing
            known = self._known(index, which) if passing <= MAX_PUSHED and among > NEAR else None
            search = _Search(self._catalogue, index, which, known, descriptor, count, min_score)
            if is_exact or not exact:
                is_far = among > FAR and not self._gallery.is_embedded
                found = self._by_index(search, set(beside), is_exact=is_exact, is_far=is_far)
                if found is not None:
                    return found
        return self._all_compared(index, which, descriptor, count), Way.PASSING_COMPARED

    def _all_compared(
        self, index: IndexRecord, which: Expression, descriptor: NDArray[np.float32], count: int
    ) -> list[Neighbour]:
        parts = self._catalogue.filtered.descriptors(index.collection_id, which, index_id=index.id)
        return nearest_of(parts, descriptor, count)

    def _known(self, index: IndexRecord, which: Expression) -> set[int]:
        return set(self._catalogue.filtered.ids(index.collection_id, which))

    def _by_index(
        self, search: "_Search", beside: set[int], *, is_exact: bool, is_far: bool
    ) -> Found | None:
        way, condition = Way.INDEX_FILTERED, ""
        if search.known and is_far:
            way, condition = Way.PUSHED_DOWN, f"id in {sorted(search.known)}"
        if is_exact:
            found = self._exactly(search, beside, condition)
            return None if found is None else (found, way)
        return self._by_tiers(search, beside, condition), way

    def _exactly(self, search: "_Search", new: set[int], condition: str) -> list[Neighbour] | None:
        """`None` where the index does not return enough that pass."""
        kept: list[Neighbour] = []
        seen: set[int] = set()
        growth = 1 if condition else _GROWTH
        asked = min(growth * search.count + 1, MAX_NEIGHBOURS)
        while True:
            near = self._gallery.search(
                search.index.name, search.descriptor, top_k=asked, condition=condition
            )
            new = (new | {one.image_id for one in near}) - seen
            seen |= new
            kept += search.compared(new)
            if len(near) < asked:
                return ranked(kept)[: search.count]
            # What is no better than the worst neighbour may have rivals that were not returned.
            worst = near[-1].score + _NOISE
            certain = [one for one in ranked(kept) if one.score > worst]
            if len(certain) >= search.count or search.is_below(worst):
                return certain[: search.count]
            if asked == MAX_NEIGHBOURS:
                return None
            asked = min(_GROWTH * asked, MAX_NEIGHBOURS)

    def _by_tiers(self, search: "_Search", beside: set[int], condition: str) -> list[Neighbour]:
        """Where the tiers do not hold enough that pass, the rest is compared one by one."""
        found: list[Neighbour] = []
        for tier in self._tiers(search, beside, condition):
            found += tier
            if len(found) >= search.count or (tier and search.is_below(tier[-1].score)):
                return found[: search.count]
        if condition:  # it found all that pass
            return found[: search.count]
        known = {one.image_id for one in found}
        count = search.count + len(known)
        passing = self._all_compared(search.index, search.which, search.descriptor, count)
        found += [one for one in passing if one.image_id not in known]
        return found[: search.count]

    def _tiers(
        self, search: "_Search", beside: set[int], condition: str
    ) -> Iterator[list[Neighbour]]:
        """What the index finds and passes; what it lacks is put in by its scores."""
        lacking = search.compared(beside)
        for tier in self._nearest.tiers(search.index, search.descriptor, condition=condition):
            if tier:
                worst = tier[-1].score
                nearer = [one for one in lacking if one.score > worst]
                lacking = lacking[len(nearer) :]
                yield ranked([*search.compared({one.image_id for one in tier} - beside), *nearer])
        yield lacking


class _Search:
    """One question, and the comparison that gives the scores."""

    def __init__(
        self,
        catalogue: Catalogue,
        index: IndexRecord,
        which: Expression,
        known: set[int] | None,
        descriptor: NDArray[np.float32],
        count: int,
        min_score: float | None,
    ) -> None:
        self._catalogue = catalogue
        self.index = index
        self.which = which
        self.known = known
        self.descriptor = descriptor
        self.count = count
        self._min_score = min_score

    def compared(self, among: Iterable[int]) -> list[Neighbour]:
        """Those of these images that pass, best first."""
        ids = set(among) if self.known is None else self.known.intersection(among)
        parts = (
            self._catalogue.filtered.descriptors(
                self.index.collection_id, self.which, index_id=self.index.id, among=ids
            )
            if self.known is None
            else self._catalogue.vectors.of(self.index, ids)
        )
        return nearest_of(parts, self.descriptor, len(ids))

    def is_below(self, score: float) -> bool:
        """Whether worse ones than this are not needed."""
        return self._min_score is not None and score < self._min_score
