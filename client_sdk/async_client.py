"""The client for programs that do other things while they wait: `Client` with `await`."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from client_sdk import _contract as contract
from client_sdk import _settings as settings
from client_sdk._call import AnswerT, Call, PageT, next_call
from client_sdk._contract import SearchKeywords
from client_sdk._pictures import Picture
from client_sdk._polling import Patience, is_complete, standing
from client_sdk.errors import LookalikeError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    Image,
    Info,
    Job,
    JobError,
    SearchResponse,
)


class AsyncClient:
    """Talks to one Lookalike service, asynchronously.

    Has the methods of `Client` with the same arguments, results and errors, where they are
    described; each is awaited, and the walks are read with `async for`.

        async with AsyncClient() as client:
            await client.wait(await client.train("holidays"))
            found = await client.search("beach.jpg")

    Args:
        base_url: Where the service is; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
        token: Sent as a bearer token; else `LOOKALIKE_TOKEN`. Empty sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: What carries the requests instead of httpx's own, such as one that retries.

    Raises:
        UsageError: If the address, the token or the timeout cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings.resolve(base_url, token, timeout)
        self._http = httpx.AsyncClient(
            base_url=self._settings.base_url,
            headers=self._settings.headers,
            limits=settings.CONNECTIONS,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back. The client cannot be used afterwards."""
        await self._http.aclose()

    async def train(
        self,
        path: str | PurePath,
        *,
        collection: str = DEFAULT_COLLECTION,
        root: str | None = None,
        recursive: bool = True,
        ignore: str | Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Start to index a file or a folder that the service can read."""
        return await self._send(
            contract.train(
                path,
                collection=collection,
                root=root,
                recursive=recursive,
                ignore=ignore,
                metadata=metadata,
            )
        )

    async def upload(
        self,
        images: Picture | Iterable[Picture],
        *,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Send pictures to be indexed."""
        return await self._send(contract.upload(images, collection=collection, metadata=metadata))

    async def process(self, job: Job | str | None = None) -> Job:
        """How far a job has come: the newest one, or the one that is named."""
        return await self._send(contract.process(job))

    async def wait(
        self,
        job: Job | str,
        *,
        timeout: float = 600.0,  # noqa: ASYNC109 - as in `Client`; the last look is given time
        interval: float = 0.2,
        on_progress: Callable[[Job], object] | None = None,
    ) -> Job:
        """Wait until a job is completed."""
        patience = Patience(timeout=timeout, interval=interval)
        job_id, seen = contract.identify(job), None
        while True:
            missed: LookalikeError | None = None
            try:
                seen = await self._send(contract.process(job_id), patience.request_seconds)
            except LookalikeError as error:
                missed = error
            else:
                if on_progress is not None:
                    on_progress(seen)
                if is_complete(seen):
                    return seen
            await asyncio.sleep(patience.pause(standing(job_id, seen), missed))

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

    async def search(self, image: Picture, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture."""
        return await self._send(contract.search(image, **options))

    async def search_by_id(
        self, image_id: int, **options: Unpack[SearchKeywords]
    ) -> SearchResponse:
        """Find the images nearest to one that is indexed."""
        return await self._send(contract.search_by_id(image_id, **options))

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

    async def delete_image(self, image_id: int) -> None:
        """Delete one image."""
        await self._send(contract.delete_image(image_id))

    async def jobs(self) -> AsyncIterator[Job]:
        """Walk over the jobs, newest first."""
        async for page in self._pages(contract.jobs()):
            for job in page.jobs:
                yield job

    async def job(self, job: Job | str) -> Job:
        """One job."""
        return await self._send(contract.job(job))

    async def job_errors(self, job: Job | str) -> AsyncIterator[JobError]:
        """Walk over all files that a job could not index."""
        async for page in self._pages(contract.job_errors(job)):
            for error in page.errors:
                yield error

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

    async def reindex(
        self, name: str, descriptor: str | None = None, *, drop_missing: bool = False
    ) -> Job:
        """Start to describe the images of a collection anew; searches go on meanwhile."""
        call = contract.reindex(name, descriptor, drop_missing=drop_missing)
        return await self._send(call)

    async def undo_reindex(self, name: str) -> Collection:
        """Let searches use the former descriptors again; a second time takes that back."""
        return await self._send(contract.undo_reindex(name))

    async def forget_reindex(self, name: str) -> None:
        """Give up a reindex that is not finished, and drop the former descriptors."""
        await self._send(contract.forget_reindex(name))

    async def info(self) -> Info:
        """What runs: versions, model, engine, index and limits."""
        return await self._send(contract.info())

    async def _pages(self, first: Call[PageT]) -> AsyncIterator[PageT]:
        call: Call[PageT] | None = first
        while call is not None:
            page = await self._send(call)
            yield page
            call = next_call(call, page.next_cursor)

    async def _send(self, call: Call[AnswerT], within: float = math.inf) -> AnswerT:
        with call.prepared(self._http, self._settings.limits(within)) as request:
            response = await self._http.send(request)
        return call.answer(response)
