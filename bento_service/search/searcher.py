"""Searches: the images of a collection that are nearest to a descriptor or to a stored image.

The index may lack some changes of the catalogue. A search compares those changes in addition, so it
sees every image that was acknowledged before it, and no image that was deleted.
"""

import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change, CollectionRecord, Computed, IndexRecord
from bento_service.errors import ImageNotFound, IndexUnavailable, InvalidArgument
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS
from bento_service.search.filtered import FilteredSearch, FilterLimits
from bento_service.search.nearest import NearestSearch, SearchMethod
from bento_service.search.pending import MAX_LAG, pending_changes, retry_after_swap
from bento_service.search.query import Judge, Query, QueryPicture, RankedImage, SearchResult
from bento_service.search.ranking import merged


@dataclass(frozen=True)
class Searcher:
    """Searches of all collections by descriptors and by stored images.

    Every method raises `CollectionNotFound` if there is no such collection, `Conflict` if the
    service does not compute its descriptor version, `IndexUnavailable` if the index does not answer
    or lacks too many changes, and `InvalidArgument` if a page lies beyond `MAX_NEIGHBOURS`.

    Attributes:
        max_lag: Most changes that a search compares in addition to the index.
        filter_limits: The limits that choose the method of a filtered search.
        judge: Judges the hits; without it they have no verdicts.
    """

    catalogue: Catalogue
    gallery: Gallery
    _: KW_ONLY
    computed: Computed
    max_lag: int = MAX_LAG
    filter_limits: FilterLimits = field(default_factory=FilterLimits)
    judge: Judge | None = None

    def by_id(self, query: Query, image_id: int) -> SearchResult:
        """Search with a stored image, which is its own best hit.

        Raises:
            ImageNotFound: The collection has no image with that id.
        """
        if self.catalogue.images.get(image_id).collection != query.collection:
            raise ImageNotFound(f"there is no image {image_id} in {query.collection!r}")
        index = self._collection(query.collection).index
        descriptor = self.catalogue.images.descriptor(image_id, index.id)
        return self._search(index, query, descriptor, own=image_id, shown=image_id)

    def by_descriptor(self, query: Query, descriptor: NDArray[np.float32]) -> SearchResult:
        """Search with a descriptor, (D,) float32, of unit length, in the collection's space."""
        return self._search(self._collection(query.collection).index, query, descriptor)

    def index_type(self, index: IndexRecord) -> str:
        """Return the type of an index; empty if the index does not answer."""
        try:
            return str(self.gallery.kind(index.name))
        except IndexUnavailable:
            return ""

    def _collection(self, name: str) -> CollectionRecord:
        return self.catalogue.collections.comparable(name, self.computed)

    def _search(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        *,
        own: int | None = None,
        shown: QueryPicture | int | None = None,
    ) -> SearchResult:
        """Search, also for the image `own` if an approximate index misses it, and judge the hits.

        `shown` is what the caller searches with; see `Judge`.
        """
        result = retry_after_swap(
            self.catalogue, index, lambda present: self._hits(present, query, descriptor, own)
        )
        if self.judge is None:
            return result
        began = time.perf_counter()
        judged = self.judge(result, shown)
        return judged.with_stages(judge=1000 * (time.perf_counter() - began))

    def _hits(
        self, index: IndexRecord, query: Query, descriptor: NDArray[np.float32], own: int | None
    ) -> SearchResult:
        count = query.offset + query.top_k
        if count > MAX_NEIGHBOURS:
            raise InvalidArgument(f"offset + top_k is {count}; at most {MAX_NEIGHBOURS}")
        started = time.perf_counter()
        pending = pending_changes(self.catalogue, index, max_lag=self.max_lag)
        near, method = self._neighbours(index, query, descriptor, pending, own)
        found = time.perf_counter()
        images = self.catalogue.images.by_ids([hit.image_id for hit in near])
        wanted = [hit for hit in near if query.wants(hit, images.get(hit.image_id))]
        hits = tuple(
            RankedImage(rank, hit.cosine, images[hit.image_id])
            for rank, hit in enumerate(wanted[:count], start=1)
            if rank > query.offset
        )
        times = {"index": 1000 * (found - started), "join": 1000 * (time.perf_counter() - found)}
        kind = self.index_type(index)
        return SearchResult(hits, index.space, len(pending), method, kind, stages_ms=times)

    def _neighbours(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        pending: Sequence[Change],
        own: int | None,
    ) -> tuple[list[Neighbour], SearchMethod]:
        """Return as many neighbours as the query needs that are not deleted, if there are."""
        count = query.offset + query.top_k
        if query.which is not None:
            search = FilteredSearch(
                self.catalogue,
                self.gallery,
                self.filter_limits,
                index,
                query.which,
                descriptor,
                count,
                query.min_score,
            )
            changed = {change.image_id for change in pending}
            return search.nearest(pending=changed, exact=query.exact)
        asked = count + sum(change.deleted for change in pending)
        nearest = NearestSearch(self.catalogue, self.gallery, index, descriptor)
        near, method = self._unfiltered(nearest, asked, own, exact=query.exact)
        return merged(near, pending, descriptor)[:asked], method

    def _unfiltered(
        self, nearest: NearestSearch, count: int, own: int | None, *, exact: bool
    ) -> tuple[list[Neighbour], SearchMethod]:
        if not nearest.index.applied:  # all images are pending
            return [], SearchMethod.INDEX
        try:
            if not exact or self.gallery.kind(nearest.index.name).is_exact:
                always = () if own is None else (own,)
                return nearest.by_index(count, always=always), SearchMethod.INDEX
        except IndexUnavailable:
            if not exact:
                raise
        return nearest.compare_all(count), SearchMethod.ALL_COMPARED
