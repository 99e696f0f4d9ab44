"""Searches: the methods of `AsyncClient` that search for pictures and compare them."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Unpack, cast

from client_sdk._arguments import check_least, checked
from client_sdk._async.connection import AsyncConnection
from client_sdk._async.results import AsyncDuplicateGroup, AsyncSearchResponse
from client_sdk._calls.call import AnswerT, Call, Page
from client_sdk._calls.options import SearchKeywords
from client_sdk._calls.pictures import Part, Picture, Query, is_url, stored_id, to_part
from client_sdk._transport.workers import async_each
from client_sdk.errors import LookalikeError
from client_sdk.schemas import DEFAULT_COLLECTION, Descriptor
from client_sdk.schemas.compare import Comparison


@checked
class AsyncSearchCalls:
    """The methods of `AsyncClient` that search for pictures and compare them."""

    _connection: AsyncConnection

    async def search(self, image: Query, **options: Unpack[SearchKeywords]) -> AsyncSearchResponse:
        """Find the images nearest to a picture.

        Args:
            image: The query: a `Picture`; a URL (`http://` or `https://`) from which the service
                fetches the picture, if its operator allows that; or the id of a stored image.
            **options: Each with its default in parentheses: `collection`, the collection to search
                (`default`); `top_k`, the largest number of hits (10); `offset`, the number of hits
                to skip (0); `min_score`, the lowest score of a hit, in [-1, 1] (none); `region`,
                the part of the picture to search with, `(x, y, width, height)` in pixels of the
                upright query, only for a picture that is sent (all); `exact`, compare with every
                image (no); `filter`, an expression over the metadata that hits must pass (none);
                `explain`, add an explanation to the answer (no).

        Returns:
            The hits, best first. The answer is a sequence of them.

        Raises:
            UrlUnreachable: If the service could not fetch the URL, or is not allowed to.
        """
        call = _query_call(image, "/search", AsyncSearchResponse, **options)
        return await self._connection.send(call)

    async def search_many(
        self, images: Iterable[Query], *, concurrency: int = 4, **options: Unpack[SearchKeywords]
    ) -> list[AsyncSearchResponse]:
        """Search with many pictures, several at a time.

        Args:
            images: The queries, each as in `search`.
            concurrency: The largest number of searches at the same time.
            **options: The same as in `search`.

        Returns:
            The answers, in the order of the queries.

        Raises:
            LookalikeError: The error of the first query that failed; a note names its position.
        """
        check_least(1, concurrency=concurrency)

        async def answer(query: tuple[int, Query]) -> AsyncSearchResponse:
            try:
                return await self.search(query[1], **options)
            except LookalikeError as error:
                error.add_note(f"in query {query[0]} of search_many, counted from 0")
                raise

        return await async_each(answer, enumerate(images), concurrency)

    async def describe(
        self,
        image: Query,
        *,
        collection: str = DEFAULT_COLLECTION,
        region: Sequence[int] | None = None,
    ) -> Descriptor:
        """Return the descriptor of a picture: a unit vector of float32.

        Args:
            image: A query, as in `search`.
            collection: The collection whose descriptor version is used; a stored image has that of
                its own collection.
            region: The part of the picture to describe, as in `search`.
        """
        call = _query_call(image, "/describe", Descriptor, collection=collection, region=region)
        return await self._connection.send(call)

    async def compare(
        self, a: Query, b: Query, *, collection: str = DEFAULT_COLLECTION
    ) -> Comparison:
        """Decide whether two pictures are the same, nearly the same, or only similar.

        Args:
            a: A picture, or the id of a stored image.
            b: The other picture or id.
            collection: The collection whose descriptor is used; stored images may be in any.
        """
        fields = {"collection": collection, "a_id": stored_id(a), "b_id": stored_id(b)}
        parts = tuple(
            to_part(name, cast("Picture", picture), number)
            for number, (name, picture) in enumerate((("a", a), ("b", b)), 1)
            if fields[f"{name}_id"] is None
        )
        call = Call("POST", "/compare", Comparison, fields=fields, parts=parts, is_idempotent=True)
        return await self._connection.send(call)

    def duplicates(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        min_score: float | None = None,
        page_size: int = 20,
    ) -> AsyncIterator[AsyncDuplicateGroup]:
        """Yield the groups of images that are the same picture or nearly so.

        Each group is yielded once and complete, in the order of its smallest id. The first groups
        of a large collection arrive while the service still searches.

        Args:
            collection: The collection.
            min_score: The lowest score that puts two images into one group although they may
                not be the same picture. By default, only duplicates are grouped.
            page_size: The number of groups that one request fetches.
        """
        fields = {"collection": collection, "min_score": min_score, "limit": page_size}
        kind = Page[AsyncDuplicateGroup]
        call = Call("POST", "/duplicates", kind, fields=fields, is_idempotent=True)
        return self._connection.items(call)


def _query_call(query: Query, path: str, kind: type[AnswerT], **options: Any) -> Call[AnswerT]:
    """Return the call about a picture, a URL or a stored image."""
    parts: tuple[Part, ...] = ()
    image_id = stored_id(query)
    if is_url(query):
        options["url"] = query
    elif image_id is not None:
        options["image_id"] = image_id
    else:
        parts = (to_part("file", cast("Picture", query)),)
    return Call("POST", path, kind, fields=options, parts=parts, is_idempotent=True)
