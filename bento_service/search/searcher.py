"""Searches: the images of a collection that are nearest to a query.

The index may lack some changes of the catalogue. A search compares those changes in addition, so it
sees every image that was acknowledged before it, and no image that was deleted.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Change, CollectionRecord, Computed, IndexRecord
from bento_service.descriptors.describer import Describer
from bento_service.errors import ImageNotFound, IndexUnavailable, InvalidArgument
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS
from bento_service.pictures.picture import Picture
from bento_service.search.filtered import FilteredSearch, FilterLimits
from bento_service.search.nearest import NearestSearch, SearchMethod
from bento_service.search.pending import MAX_LAG, pending_changes, retry_after_swap
from bento_service.search.query import Judge, Query, QueryPicture, RankedImage, SearchResult
from bento_service.search.ranking import merged
from bento_service.storage.digests import whole_digest
from client_sdk.decoding.formats import Region

SEARCHES_AT_ONCE = 32
"""Searches that may wait for the index at once, and as many for a decoder; others wait without
taking a thread."""


class Searcher:
    """Searches of all collections by pictures, by stored images and by descriptors.

    Every method raises `CollectionNotFound` if there is no such collection, `Conflict` if the
    service does not compute its descriptor version, `IndexUnavailable` if the index does not answer
    or lacks too many changes, and `InvalidArgument` if a page lies beyond `MAX_NEIGHBOURS`.

    Args:
        describer: Turns pictures into descriptors; without it, pictures cannot be searched with.
        max_lag: Most changes that a search compares in addition to the index.
        filter_limits: The limits that choose the method of a filtered search.
        judge: Judges the hits; without it they have no verdicts.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        describer: Describer | None = None,
        *,
        computed: Computed,
        max_lag: int = MAX_LAG,
        filter_limits: FilterLimits | None = None,
        judge: Judge | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._gallery = gallery
        self._describer = describer
        self._nearest = NearestSearch(catalogue, gallery)
        self._filtered = FilteredSearch(catalogue, gallery, filter_limits or FilterLimits())
        self._computed = computed
        self._max_lag = max_lag
        self._judge = judge
        self._threads = CapacityLimiter(SEARCHES_AT_ONCE)
        self._decoding = CapacityLimiter(SEARCHES_AT_ONCE)

    async def by_id_async(self, query: Query, image_id: int) -> SearchResult:
        """Call `by_id` without blocking the event loop or any request that is no search."""
        return await self._in_thread(self.by_id, query, image_id)

    async def _in_thread(
        self, call: Callable[..., SearchResult], *arguments: object
    ) -> SearchResult:
        asked = time.perf_counter()

        def timed() -> SearchResult:
            began = time.perf_counter()
            result = call(*arguments)
            searched_ms = 1000 * (time.perf_counter() - began)
            return replace(result, search_ms=searched_ms, queue_ms=1000 * (began - asked))

        # Searches wait for the index; in the shared threads they would block everything else.
        return await run_sync(timed, limiter=self._threads)

    def by_id(self, query: Query, image_id: int) -> SearchResult:
        """Search with a stored image, which is its own best hit.

        Raises:
            ImageNotFound: The collection has no image with that id.
        """
        if self._catalogue.images.get(image_id).collection != query.collection:
            raise ImageNotFound(f"there is no image {image_id} in {query.collection!r}")
        index = self._collection(query.collection).index
        descriptor = self._catalogue.images.descriptor(image_id, index.id)
        return self._judged(self._search(index, query, descriptor, image_id), image_id)

    def by_descriptor(self, query: Query, descriptor: NDArray[np.float32]) -> SearchResult:
        """Search with a descriptor, (D,) float32, of unit length, in the collection's space."""
        index = self._collection(query.collection).index
        return self._judged(self._search(index, query, descriptor), None)

    def _judged(self, result: SearchResult, query: QueryPicture | int | None) -> SearchResult:
        if self._judge is None:
            return result
        began = time.perf_counter()
        return replace(self._judge(result, query), judge_ms=1000 * (time.perf_counter() - began))

    def _search(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        own: int | None = None,
    ) -> SearchResult:
        def search(present: IndexRecord) -> SearchResult:
            return self._search_index(present, query, descriptor, own)

        return retry_after_swap(self._catalogue, index, search)

    def _search_index(
        self, index: IndexRecord, query: Query, descriptor: NDArray[np.float32], own: int | None
    ) -> SearchResult:
        count = query.offset + query.top_k
        if count > MAX_NEIGHBOURS:
            raise InvalidArgument(f"offset + top_k is {count}; at most {MAX_NEIGHBOURS}")
        started = time.perf_counter()
        pending = pending_changes(self._catalogue, index, max_lag=self._max_lag)
        near, method = self._neighbours(index, query, descriptor, count, pending, own)
        found = time.perf_counter()
        images = self._catalogue.images.by_ids([hit.image_id for hit in near])
        shown = [hit for hit in near if query.wants(hit, images.get(hit.image_id))]
        hits = tuple(
            RankedImage(rank, hit.cosine, images[hit.image_id])
            for rank, hit in enumerate(shown[:count], start=1)
            if rank > query.offset
        )
        return SearchResult(
            hits,
            index.space,
            len(pending),
            method,
            self.index_type(index),
            index_ms=1000 * (found - started),
            join_ms=1000 * (time.perf_counter() - found),
        )

    def _stored_id(self, collection: CollectionRecord, stream: BinaryIO) -> int | None:
        """Return the image with a picture's bytes, which an approximate index might miss."""
        index = collection.index
        if index.applied == 0 or self._gallery.kind(index.name).is_exact:
            return None
        image = self._catalogue.images.with_digest(collection.id, whole_digest(stream))
        return None if image is None else image.id

    def _neighbours(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        count: int,
        pending: Sequence[Change],
        own: int | None,
    ) -> tuple[list[Neighbour], SearchMethod]:
        """Return at least `count` neighbours that are not deleted, if there are so many."""
        if query.which is not None:
            return self._filtered.nearest(
                index,
                query.which,
                descriptor,
                count,
                pending={change.image_id for change in pending},
                min_score=query.min_score,
                exact=query.exact,
            )
        count += sum(change.deleted for change in pending)
        near, method = self._unfiltered(index, query, descriptor, count, own)
        return merged(near, pending, descriptor)[:count], method

    def _unfiltered(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        count: int,
        own: int | None,
    ) -> tuple[list[Neighbour], SearchMethod]:
        if not index.applied:  # all images are pending
            return [], SearchMethod.INDEX
        try:
            if not query.exact or self._gallery.kind(index.name).is_exact:
                always = () if own is None else (own,)
                near = self._nearest.by_index(index, descriptor, count, always=always)
                return near, SearchMethod.INDEX
        except IndexUnavailable:
            if not query.exact:
                raise
        near = self._nearest.compare_all(index, descriptor, count)
        return near, SearchMethod.ALL_COMPARED

    def index_type(self, index: IndexRecord) -> str:
        """Return the type of an index; empty if the index does not answer."""
        try:
            return str(self._gallery.kind(index.name))
        except IndexUnavailable:
            return ""

    def _collection(self, name: str) -> CollectionRecord:
        return self._catalogue.collections.comparable(name, self._computed)

    async def by_picture(
        self,
        query: Query,
        source: bytes | BinaryIO,
        *,
        region: Region | None = None,
        sender: str = "",
    ) -> SearchResult:
        """Search with an encoded picture, or with a region of it; see `Decoders.decode`.

        Raises:
            UnsupportedMediaType, TooLarge, ImageUnreadable, ImageTooExpensive, InvalidArgument,
            NotReady, Overloaded: See `Decoders`.
        """
        describer = self._describer
        assert describer is not None  # noqa: S101 - for the types
        started = time.perf_counter()
        stream = BytesIO(source) if isinstance(source, bytes) else source

        def decode() -> tuple[float, Picture]:
            began = time.perf_counter()
            self._collection(query.collection)
            return began, describer.decode(stream, region=region, sender=sender)

        # Waiting for a decoder must not starve searches that need none.
        began, picture = await run_sync(decode, limiter=self._decoding)
        decoded = time.perf_counter()
        descriptors = await describer.describe(picture.pixels[np.newaxis])
        described = time.perf_counter()
        shown = QueryPicture(picture.pixels, stream if region is None else None)
        result = await self._in_thread(self._by_descriptors, query, descriptors, shown)
        return replace(
            result,
            warnings=picture.warnings,
            decode_ms=1000 * (decoded - began),
            describe_ms=1000 * (described - decoded),
            queue_ms=1000 * (began - started) + result.queue_ms,
        )

    def _by_descriptors(
        self,
        query: Query,
        descriptors: Mapping[str, NDArray[np.float32]],
        picture: QueryPicture,
    ) -> SearchResult:
        """Search with the descriptors of a picture, by fingerprint, and its bytes."""
        # Read again: a reindex may have switched to another descriptor space meanwhile.
        collection = self._collection(query.collection)
        (descriptor,) = descriptors[collection.space.fingerprint]
        is_plain = query.which is None and not query.exact
        own = self._stored_id(collection, picture.file) if picture.file and is_plain else None
        return self._judged(self._search(collection.index, query, descriptor, own), picture)
