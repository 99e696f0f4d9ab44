"""Which images look like this one: a query's descriptor against a collection.

The index may be some changes behind the catalogue. Those changes are compared exactly beside it,
so a search sees everything that was acknowledged before it, and nothing that was deleted.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import BinaryIO, TypeVar

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import (
    Change,
    CollectionRecord,
    Computed,
    ImageRecord,
    IndexRecord,
)
from bento_service.descriptors.describing import Describe
from bento_service.errors import ImageNotFound, IndexUnavailable, InvalidArgument
from bento_service.filters.passing import passes
from bento_service.gallery.gallery import Gallery, Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS, IndexType
from bento_service.pictures.formats import Colour, Region
from bento_service.pictures.picture import Decoder
from bento_service.search.filtered import Narrowed
from bento_service.search.nearest import Nearest, Way
from bento_service.search.query import Found, Query, Result
from bento_service.search.ranking import merged
from bento_service.storage.digests import stream_digest

_T = TypeVar("_T")
SEARCHES_AT_ONCE = 32
"""Searches that may wait for the index at the same time, and as many for a decoder; further ones
wait without a thread."""
MAX_LAG = 10_000
"""Changes that a search compares beside the index; with more it says that it is not ready."""
__all__ = ["MAX_LAG", "Found", "Query", "Result", "Searcher", "in_present", "tail"]


@dataclass(frozen=True)
class _Answer:
    """What is known of a search before it is timed; see `Result`."""

    found: tuple[Found, ...]
    lag: int
    way: Way
    index_type: str


class Searcher:
    """Answers searches of all collections."""

    def __init__(
        self,
        catalogue: Catalogue,
        gallery: Gallery,
        decoder: Decoder,
        describe: Describe,
        *,
        computed: Computed,
        side: int,
        padding: Colour | None = None,
    ) -> None:
        """Prepare.

        Args:
            catalogue: The truth.
            gallery: The index over it.
            decoder: Decodes query pictures.
            describe: Asks the embedder.
            computed: What the embedder gives.
            side: Of the pictures that the embedder takes, in pixels.
            padding: How they become squares; see `vision.square.square`.
        """
        self._catalogue = catalogue
        self._gallery = gallery
        self._nearest = Nearest(catalogue, gallery)
        self._narrowed = Narrowed(catalogue, gallery)
        self._decoder = decoder
        self._describe = describe
        self._computed = computed
        self._side = side
        self._padding = padding
        self._threads = CapacityLimiter(SEARCHES_AT_ONCE)
        self._decoding = CapacityLimiter(SEARCHES_AT_ONCE)

    async def by_picture(
        self,
        query: Query,
        source: bytes | BinaryIO,
        *,
        region: Region | None = None,
        sender: str = "",
    ) -> Result:
        """Search with a picture.

        Args:
            query: What to search.
            source: The encoded picture.
            region: Search with this part of the upright picture.
            sender: Who asks; senders of expensive pictures take turns.

        Raises:
            CollectionNotFound, Conflict, IndexUnavailable: See `by_descriptor`.
            UnsupportedMediaType, TooLarge, ImageUnreadable, ImageTooExpensive, InvalidArgument,
            NotReady, Overloaded: See `Decoder`.
        """
        started = time.perf_counter()
        await asyncio.to_thread(self._collection, query.collection)
        stream = BytesIO(source) if isinstance(source, bytes) else source
        decode = partial(
            self._decoder.decode,
            stream,
            side=self._side,
            padding=self._padding,
            region=region,
            sender=sender,
        )
        # Who waits for a decoder must not take the threads of those who need none.
        picture = await run_sync(decode, limiter=self._decoding)
        decoded = time.perf_counter()
        descriptors = await self._describe(picture.pixels[np.newaxis])
        described = time.perf_counter()
        # Only now is it decided in which space: a reindex may have ended meanwhile.
        collection = await asyncio.to_thread(self._collection, query.collection)
        (descriptor,) = descriptors[collection.space.fingerprint]
        plain = region is None and query.which is None and not query.exact
        own = await self._aside(self._same, collection, stream) if plain else None
        answer = await self._aside(self._among, collection.index, query, descriptor, own)
        return Result(
            found=answer.found,
            warnings=picture.warnings,
            decode_ms=1000 * (decoded - started),
            describe_ms=1000 * (described - decoded),
            search_ms=1000 * (time.perf_counter() - described),
            space=collection.space,
            lag=answer.lag,
            way=answer.way,
            index_type=answer.index_type,
        )

    async def by_id_aside(self, query: Query, image_id: int) -> Result:
        """`by_id` without holding up the event loop, nor any request that is no search."""
        return await self._aside(self.by_id, query, image_id)

    async def _aside(self, call: Callable[..., _T], *arguments: object) -> _T:
        # Searches wait for Milvus; in the threads that all share, everything else would wait too.
        return await run_sync(call, *arguments, limiter=self._threads)

    def by_id(self, query: Query, image_id: int) -> Result:
        """Search with a stored image; it is its own best hit.

        Raises:
            ImageNotFound: There is none with that id in the collection.
            CollectionNotFound, Conflict, IndexUnavailable: See `by_descriptor`.
        """
        started = time.perf_counter()
        if self._catalogue.images.get(image_id).collection != query.collection:
            raise ImageNotFound(f"there is no image {image_id} in {query.collection!r}")
        collection = self._collection(query.collection)
        descriptor = self._catalogue.images.descriptor(image_id, collection.index.id)
        answer = self._among(collection.index, query, descriptor, image_id)
        return Result(
            found=answer.found,
            warnings=(),
            decode_ms=0.0,
            describe_ms=0.0,
            search_ms=1000 * (time.perf_counter() - started),
            space=collection.space,
            lag=answer.lag,
            way=answer.way,
            index_type=answer.index_type,
        )

    def by_descriptor(
        self, query: Query, descriptor: NDArray[np.float32]
    ) -> tuple[tuple[Found, ...], int]:
        """Search with a descriptor; the found images, and how many changes the index was behind.

        Args:
            query: What to search.
            descriptor: (D,) float32, of unit length, in the collection's space.

        Raises:
            CollectionNotFound: There is no such collection.
            Conflict: The service does not compute what the collection holds.
            IndexUnavailable: Milvus does not answer, or is too far behind.
        """
        answer = self._among(self._collection(query.collection).index, query, descriptor)
        return answer.found, answer.lag

    def _among(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        own: int | None = None,
    ) -> _Answer:
        return in_present(
            self._catalogue, index, lambda one: self._answer(one, query, descriptor, own)
        )

    def _answer(
        self, index: IndexRecord, query: Query, descriptor: NDArray[np.float32], own: int | None
    ) -> _Answer:
        wanted = query.offset + query.top_k
        if wanted > MAX_NEIGHBOURS:
            raise InvalidArgument(f"offset + top_k is {wanted}; at most {MAX_NEIGHBOURS}")
        # Read before the index: a change is then in the index, in here, or in both.
        beside = tail(self._catalogue, index)
        near, way = self._near(index, query, descriptor, wanted, beside, own)
        living = self._catalogue.images.by_ids([one.image_id for one in near])
        kept = [one for one in near if _is_wanted(one, query, living)]
        found = tuple(
            Found(rank, one.score, living[one.image_id])
            for rank, one in enumerate(kept[:wanted], start=1)
            if rank > query.offset
        )
        return _Answer(found, len(beside), way, self._kind(index))

    def _same(self, collection: CollectionRecord, stream: BinaryIO) -> int | None:
        """The image with a picture's bytes, for an approximate index that might miss it."""
        index = collection.index
        if index.applied == 0 or self._gallery.kind(index.name).is_exact:
            return None
        stream.seek(0)
        image = self._catalogue.images.with_digest(collection.id, stream_digest(stream))
        return None if image is None else image.id

    def _near(
        self,
        index: IndexRecord,
        query: Query,
        descriptor: NDArray[np.float32],
        wanted: int,
        beside: list[Change],
        own: int | None,
    ) -> tuple[list[Neighbour], Way]:
        """At least `wanted` living neighbours where there are so many."""
        if query.which is not None:
            return self._narrowed.nearest(
                index,
                query.which,
                descriptor,
                wanted,
                beside={change.image_id for change in beside},
                min_score=query.min_score,
                exact=query.exact,
            )
        count = wanted + sum(change.deleted for change in beside)
        way = Way.INDEX
        if not index.applied:  # then all images are in there
            return merged([], beside, descriptor)[:count], way
        try:
            if query.exact and not self._gallery.kind(index.name).is_exact:
                way = Way.ALL_COMPARED
            else:
                surely = () if own is None else (own,)
                near = self._nearest.by_index(index, descriptor, count, surely=surely)
        except IndexUnavailable:
            if not query.exact:
                raise
            way = Way.ALL_COMPARED
        if way is Way.ALL_COMPARED:
            near = self._nearest.among_all(index, descriptor, count)
        return merged(near, beside, descriptor)[:count], way

    def index_type(self, collection: CollectionRecord) -> str:
        """Of which kind a collection's index is; empty where Milvus cannot tell."""
        return self._kind(collection.index)

    def _kind(self, index: IndexRecord) -> str:
        try:
            return str(self._gallery.kind(index.name))
        except IndexUnavailable:
            return ""

    def explanation(self, result: Result) -> dict[str, object]:
        """How an answer was found, for people."""
        compared = result.way in (Way.ALL_COMPARED, Way.PASSING_COMPARED)
        return {
            "index_type": result.index_type,
            "exact": compared or result.index_type == IndexType.FLAT,
            "way": str(result.way),
            "changes_beside_the_index": result.lag,
            "descriptor": result.space.descriptor,
            "fingerprint": result.space.fingerprint,
        }

    def _collection(self, name: str) -> CollectionRecord:
        return self._catalogue.collections.comparable(name, self._computed)


def in_present(catalogue: Catalogue, index: IndexRecord, ask: Callable[[IndexRecord], _T]) -> _T:
    """What an index answers, or the one of another kind for which it was exchanged meanwhile.

    Raises:
        IndexUnavailable: See `ask`; it was not exchanged.
    """
    try:
        return ask(index)
    except IndexUnavailable:
        present = catalogue.indexes.get(index.id)
        if present is None or present.name == index.name:
            raise
        return ask(present)


def tail(catalogue: Catalogue, index: IndexRecord) -> list[Change]:
    """The changes that an index lacks, to be compared beside it.

    Raises:
        IndexUnavailable: There are too many of them.
    """
    changes = catalogue.changes.page(index.id, after=(index.applied, 2**62), limit=MAX_LAG + 1)
    if len(changes) > MAX_LAG:
        raise IndexUnavailable(
            f"the index of {index.collection!r} is more than {MAX_LAG} changes behind and is "
            "catching up; try again shortly"
        )
    return changes


def _is_wanted(near: Neighbour, query: Query, living: Mapping[int, ImageRecord]) -> bool:
    """Checked on what is shown: images are deleted and changed while they are searched."""
    image = living.get(near.image_id)
    return (
        image is not None
        and (query.min_score is None or near.score >= query.min_score)
        and (query.which is None or passes(query.which, image))
    )
