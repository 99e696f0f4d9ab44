"""The client for programs that do other things while they wait: `Client` with `await`."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Literal, Self, Unpack

from client_sdk import _compare_contract as comparing
from client_sdk import _contract as contract
from client_sdk import _local as local
from client_sdk._async_folders import AsyncFolderCalls
from client_sdk._contract import SearchKeywords
from client_sdk._pictures import Query
from client_sdk._polling import Patience
from client_sdk.compare_schemas import Comparison, DuplicateGroup
from client_sdk.errors import LookalikeError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Image,
    Info,
    SearchResponse,
)


class AsyncClient(AsyncFolderCalls):
    """Talks to one Lookalike service, asynchronously.

    Has the methods of `Client` with the same arguments, results and errors, where they are
    described; each is awaited, and the walks are read with `async for`.

        async with AsyncClient() as client:
            job = await client.train("holidays")
            await job.wait(progress=True)
            found = await client.search("beach.jpg")

    Args:
        base_url: Where the service is; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
        token: Sent as a bearer token; else `LOOKALIKE_TOKEN`. Empty sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: What carries the requests instead of httpx's own.
        retries: As for `Client`.
        check_version: As for `Client`.

    Raises:
        UsageError: If the address, the token or the timeout cannot be used.
    """

    @classmethod
    def local(
        cls,
        folder: str | PurePath | None = None,
        *,
        model: str | PurePath | None = None,
        roots: Sequence[str | PurePath] = (),
        precision: Literal["int8", "fp32"] | None = None,
        threads: int | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Open a service in this process; the event loop waits for that, about a second."""
        service = local.open_service(
            folder,
            model=model,
            roots=roots,
            precision=precision,
            threads=threads,
            timeout=timeout,
        )
        return cls(
            local.URL, token="", timeout=timeout, transport=local.AsyncLocalTransport(service)
        )

    async def wait_ready(
        self,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - as in `Client`; the last look is given time
        interval: float = 0.2,
    ) -> None:
        """Wait until the service can answer searches."""
        patience = Patience(timeout=timeout, interval=interval)
        while True:
            try:
                return await self._send(contract.ready(), patience.request_seconds)
            except LookalikeError as error:
                pause = patience.pause("the service is not ready", error)
            await asyncio.sleep(pause)

    async def count(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        filter: str | None = None,  # noqa: A002 - the contract's word
    ) -> int:
        """How many images a collection holds, or how many of them pass a filter."""
        return (await self._send(contract.count(collection=collection, filter=filter))).count

    async def search(self, image: Query, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture."""
        return await self._send(contract.search(image, **options))

    async def search_by_id(
        self, image_id: int, **options: Unpack[SearchKeywords]
    ) -> SearchResponse:
        """Find the images nearest to one that is indexed."""
        return await self._send(contract.search_by_id(image_id, **options))

    async def search_by_url(self, url: str, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture that the service fetches."""
        return await self._send(contract.search_by_url(url, **options))

    async def compare(
        self, a: Query, b: Query, *, collection: str = DEFAULT_COLLECTION
    ) -> Comparison:
        """Tell whether two pictures are the same, nearly so, or only similar."""
        return await self._send(comparing.compare(a, b, collection=collection))

    async def duplicates(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        min_score: float | None = None,
        page_size: int = 20,
    ) -> AsyncIterator[DuplicateGroup]:
        """Walk over the groups of images that are the same picture or nearly so."""
        first = comparing.duplicates(
            collection=collection, min_score=min_score, page_size=page_size
        )
        async for page in self._pages(first):
            for group in page.groups:
                yield group

    async def delete(
        self, ids: int | Iterable[int], *, collection: str = DEFAULT_COLLECTION
    ) -> int:
        """Delete images by their ids; returns how many there were."""
        return (await self._send(contract.delete(ids, collection=collection))).deleted

    async def delete_where(
        self,
        filter: str,  # noqa: A002 - the contract's word
        *,
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete the images that pass a filter, all at once; returns how many there were."""
        return (await self._send(contract.delete_where(filter, collection=collection))).deleted

    async def delete_all(self, *, collection: str) -> int:
        """Delete every image of a collection; returns how many there were."""
        return (await self._send(contract.delete_all(collection=collection))).deleted

    async def images(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        prefix: str | None = None,
        filter: str | None = None,  # noqa: A002 - the contract's word
        page_size: int = 100,
    ) -> AsyncIterator[Image]:
        """Walk over the images of a collection by rising id."""
        first = contract.images(
            collection=collection, prefix=prefix, filter=filter, page_size=page_size
        )
        async for page in self._pages(first):
            for image in page.images:
                yield image

    async def image(self, image_id: int) -> Image:
        """What is known about one image."""
        return await self._send(contract.image(image_id))

    async def content(self, image_id: int) -> bytes:
        """The stored bytes of an image."""
        return await self._send(contract.content(image_id))

    async def thumbnail(self, image_id: int, *, size: int | None = None) -> bytes:
        """A small WebP of an image."""
        return await self._send(contract.thumbnail(image_id, size=size))

    async def update_metadata(self, image_id: int, metadata: Mapping[str, Any]) -> Image:
        """Replace the metadata of one image; what was there before goes."""
        return await self._send(contract.update_metadata(image_id, metadata))

    async def delete_image(self, image_id: int) -> None:
        """Delete one image."""
        await self._send(contract.delete_image(image_id))

    async def collections(self) -> tuple[Collection, ...]:
        """All collections, by name."""
        return (await self._send(contract.collections())).collections

    async def create_collection(
        self, name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
    ) -> Collection:
        """Create an empty collection."""
        call = contract.create_collection(name, descriptor, ttl_seconds=ttl_seconds)
        return await self._send(call)

    async def delete_collection(self, name: str) -> None:
        """Delete a collection and its images."""
        await self._send(contract.delete_collection(name))

    async def info(self) -> Info:
        """What runs: versions, model, engine, index and limits."""
        return await self._send(contract.info())
