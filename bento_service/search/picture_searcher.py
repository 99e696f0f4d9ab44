"""Searches by pictures, without blocking the event loop."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import BinaryIO

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.catalogue.records import CollectionRecord
from bento_service.descriptors.describer import Describer
from bento_service.pictures.picture import Picture
from bento_service.search.query import Query, QueryPicture, SearchResult
from bento_service.search.searcher import Searcher
from bento_service.storage.digests import whole_digest
from client_sdk.decoding.formats import Region

_MOST_NAMES = 1000
SEARCHES_AT_ONCE = 32
"""Searches that may wait for the index at once, and as many for a decoder; others wait without
taking a thread."""


def _limiter() -> CapacityLimiter:
    return CapacityLimiter(SEARCHES_AT_ONCE)


@dataclass(frozen=True)
class PictureSearcher(Searcher):
    """A searcher that also searches with pictures."""

    describer: Describer
    _threads: CapacityLimiter = field(default_factory=_limiter, init=False)
    _decoding: CapacityLimiter = field(default_factory=_limiter, init=False)
    _searched: set[str] = field(default_factory=set, init=False)  # collections that were there

    async def by_stored_image(self, query: Query, image_id: int) -> SearchResult:
        """Call `by_id` without blocking the event loop or any request that is no search."""
        return await self._in_thread(lambda: self.by_id(query, image_id))

    async def by_picture(
        self,
        query: Query,
        source: bytes | BinaryIO,
        *,
        region: Region | None = None,
        sender: str = "",
    ) -> SearchResult:
        """Search with an encoded picture, or with a region of it.

        Raises:
            LookalikeError: See `Decoders.decode`.
        """
        started = time.perf_counter()
        stream = BytesIO(source) if isinstance(source, bytes) else source

        def decode() -> tuple[float, Picture]:
            began = time.perf_counter()
            if query.collection not in self._searched:  # refuse it before the picture takes time
                self._comparable(query.collection)
            return began, self.describer.decode(stream, region=region, sender=sender)

        # Waiting for a decoder must not starve searches that need none.
        began, picture = await run_sync(decode, limiter=self._decoding)
        decoded = time.perf_counter()
        shown = QueryPicture(picture.pixels, stream if region is None else None)
        descriptors, _ = await asyncio.gather(
            self.describer.describe(picture.pixels[np.newaxis]),
            run_sync(lambda: shown.prints, limiter=self._threads),  # the hits are compared by them
        )
        described = time.perf_counter()
        result = await self._in_thread(lambda: self._by_descriptors(query, descriptors, shown))
        return replace(result, warnings=picture.warnings).with_stages(
            queue=1000 * (began - started) + result.stages_ms["queue"],
            decode=1000 * (decoded - began),
            describe=1000 * (described - decoded),
        )

    async def _in_thread(self, search: Callable[[], SearchResult]) -> SearchResult:
        asked = time.perf_counter()

        def timed() -> SearchResult:
            began = time.perf_counter()
            result = search().with_stages(queue=1000 * (began - asked))
            return replace(result, search_ms=1000 * (time.perf_counter() - began))

        # Searches wait for the index; in the shared threads they would block everything else.
        return await run_sync(timed, limiter=self._threads)

    def _by_descriptors(
        self,
        query: Query,
        descriptors: Mapping[str, NDArray[np.float32]],
        picture: QueryPicture,
    ) -> SearchResult:
        """Search with the descriptors of a picture, by fingerprint, and its bytes."""
        # Read now: a reindex may have switched to another descriptor space meanwhile.
        collection = self._comparable(query.collection)
        (descriptor,) = descriptors[collection.space.fingerprint]
        is_plain = query.which is None and not query.exact
        own = self._stored_id(collection, picture.file) if picture.file and is_plain else None
        return self._search(collection.index, query, descriptor, own=own, shown=picture)

    def _comparable(self, name: str) -> CollectionRecord:
        """Return a collection, and remember that it can be searched."""
        self._searched.discard(name)
        collection = self._collection(name)
        if len(self._searched) >= _MOST_NAMES:
            self._searched.clear()
        self._searched.add(name)
        return collection

    def _stored_id(self, collection: CollectionRecord, stream: BinaryIO) -> int | None:
        """Return the image with a picture's bytes, which an approximate index might miss."""
        index = collection.index
        if index.applied == 0 or self.gallery.kind(index.name).is_exact:
            return None
        image = self.catalogue.images.with_digest(collection.id, whole_digest(stream))
        return None if image is None else image.id
