"""The client."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import PurePath
from types import TracebackType
from typing import Any, Literal, Self, Unpack

import httpx

from client_sdk._arguments import metadata_of
from client_sdk._async.connection import AsyncConnection
from client_sdk._async.folders import AsyncFolderUpload
from client_sdk._async.jobs import AsyncJobCalls
from client_sdk._async.local import AsyncLocalTransport
from client_sdk._calls import images as calls
from client_sdk._calls.call import Call, api, content_of, get, given, model, nothing, post, segment
from client_sdk._calls.compare import compare
from client_sdk._calls.images import SearchKeywords, image_path
from client_sdk._calls.pictures import Query
from client_sdk._folder.plan import FolderKeywords, FolderOptions
from client_sdk._folder.report import UploadReport
from client_sdk._transport import local
from client_sdk._transport.polling import Patience
from client_sdk._transport.retries import Retries
from client_sdk.errors import LookalikeError
from client_sdk.schemas import (
    DEFAULT_COLLECTION,
    Collection,
    CollectionList,
    Count,
    Image,
    ImageList,
    Info,
    SearchResponse,
)
from client_sdk.schemas.compare import Comparison, DuplicateGroup, DuplicateGroups


class AsyncClient(AsyncJobCalls):
    """Talks to one Lookalike service.

    Every method raises `ApiError` if the service refuses, `ConnectError` or `TimeoutExceeded` if it
    does not answer, `UnexpectedAnswer` if something else answers, `VersionMismatch` if the service
    is too old or too new, and `UsageError` if an argument cannot be used; all of them are
    `LookalikeError`. A client keeps its connections until `close`; a `Client` serves many threads.

        async with AsyncClient() as client:
            job = await client.train("holidays")
            await job.wait(progress=True)
            found = await client.search("beach.jpg")

    Args:
        base_url: The address of the service; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
        token: Sent as a bearer token; else `LOOKALIKE_TOKEN`. Empty sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: The transport of the requests, instead of httpx's own.
        retries: How often a call that failed for a moment and may be repeated is sent again: a
            `Retries` sets every detail, a number only the further attempts. By default `Retries()`;
            over a `transport` of yours nothing is repeated.
        check_version: Whether to refuse answers of a service that is too old or too new.

    Raises:
        UsageError: If the address, the token, the timeout or the proxy cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: Retries | int | None = None,
        check_version: bool = True,
    ) -> None:
        self._connection = AsyncConnection(
            base_url, token, timeout, transport, retries, check_version=check_version
        )

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
        """Open a service in this process, with no server beside it.

        It answers as a server does: the same pictures get the same scores. Everything is stored in
        the folder, which one client at a time may use. Opening takes about a second. It needs the
        extra `local` and a model; see docs/local.md.

        Args:
            folder: The folder of the data, made if need be; by default a temporary one.
            model: The folder of the model; else `LOOKALIKE_MODEL`, else one of the user's cache.
            roots: The only folders from which `train` may read; by default every file.
            precision: `int8` or `fp32`; by default the faster one of this machine.
            threads: Cores that describe pictures; by default all.
            timeout: As for a service elsewhere.

        Raises:
            UsageError: If an argument cannot be used.
            LocalUnavailable: If the extra or the model is missing, or another client uses the
                folder.
        """
        service = local.open_service(folder, model, roots, precision, threads, timeout)
        return cls(local.URL, token="", timeout=timeout, transport=AsyncLocalTransport(service))

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
        """Close the connections. The client cannot be used afterwards."""
        await self._connection.close()

    async def wait_ready(
        self,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - the last look gets time of its own
        interval: float = 0.2,
    ) -> None:
        """Wait until the service can answer searches.

        Args:
            timeout: Seconds to wait at most.
            interval: Seconds before the second look; grows gently up to 2 s.

        Raises:
            TimeoutExceeded: If it is not ready in time.
        """
        patience = Patience(timeout=timeout, interval=interval)
        ready = Call("GET", "/readyz", nothing)
        while True:
            try:
                return await self._connection.send(ready, patience.request_seconds)
            except LookalikeError as error:
                pause = patience.pause("the service is not ready", error)
            await asyncio.sleep(pause)

    async def info(self) -> Info:
        """Return what runs: versions, model, engine, index and limits."""
        return await self._connection.send(get("/info", Info))

    # Search

    async def search(self, image: Query, **options: Unpack[SearchKeywords]) -> SearchResponse:
        """Find the images nearest to a picture.

        Args:
            image: The query: a picture in any form; a URL (`http://` or `https://`) from which the
                service fetches one, if its operator allows that; or the id of a stored image.
            **options: `collection` to search; `top_k` (10), how many hits at most, and `offset`
                (0), how many to skip; `min_score`, in [-1, 1], to leave out worse hits;
                `region`, `(x, y, width, height)` in pixels of the upright query, only for a
                picture that is sent; `exact` (no), to compare with every image; `filter`, an
                expression over the metadata; `explain` (no), to get an explanation.

        Raises:
            OSError: If the file cannot be read.
            UsageError: If the query or an option cannot be used.
            UrlUnreachable: If the service could not fetch the URL, or may not.
        """
        return await self._connection.send(calls.search(image, options))

    async def compare(
        self, a: Query, b: Query, *, collection: str = DEFAULT_COLLECTION
    ) -> Comparison:
        """Compare two pictures: are they the same, nearly the same, or only similar?

        Args:
            a: A picture, or the id of a stored image.
            b: The other one.
            collection: The collection whose descriptor compares them; stored images may be in any.

        Raises:
            ImageNotFound: If there is no image of that id.
            OSError: If a file cannot be read.
            UsageError: If one of them is neither.
        """
        return await self._connection.send(compare(a, b, collection=collection))

    async def duplicates(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        min_score: float | None = None,
        page_size: int = 20,
    ) -> AsyncIterator[DuplicateGroup]:
        """Walk over the groups of images that are the same picture or nearly so.

        Each group comes once and whole, in the order of its smallest id. The service looks for
        them during the walk, so that the first ones of a large collection come soon.

        Args:
            collection: The collection.
            min_score: The score from which two images belong together, besides those that their
                hashes join; by default the line of the collection's descriptor for
                `near_duplicate`.
            page_size: How many groups to fetch at a time.
        """
        body = given(collection=collection, min_score=min_score, limit=page_size)
        first = post("/duplicates", DuplicateGroups, body, is_harmless=True)
        async for page in self._connection.pages(first):
            for group in page.groups:
                yield group

    # Index; `train`, `upload`, `job` and others are in `AsyncJobCalls`

    async def upload_folder(
        self, folder: str | os.PathLike[str], **options: Unpack[FolderKeywords]
    ) -> UploadReport:
        """Send the pictures of a folder that the service does not have yet.

        Files are read and sent in batches, so that a folder may be of any size. Each request may
        be repeated: nothing is lost or doubled, and after an interruption the same call goes on
        with the rest.

        Args:
            folder: The folder. The source of each image is its path below it.
            **options: `collection` of the images; `pattern`, which files to take (the usual names
                of picture files; `*` for every file), and `ignore`, which to leave out, both as in
                a `.gitignore`; `recursive` (yes); `metadata`, stored with every new image;
                `concurrency` (4), how many requests at once, `batch_files` (100) and `batch_bytes`
                (32 MiB), the size of one; `skip_known` (yes), to ask first which files the
                collection holds; `wait` (yes) for the jobs, each at most `timeout` seconds
                (3600); `progress` (no), to show the progress on stderr.

        Returns:
            The outcome of every file. Files that failed raise nothing.

        Raises:
            UsageError: If it is no folder, or an option cannot be used.
            UploadStopped: If it cannot go on, such as because the service is away for too long.
        """
        upload = AsyncFolderUpload(self._connection, FolderOptions.of(options))
        return await upload.run(folder)

    # Images

    async def images(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        prefix: str | None = None,
        filter: str | None = None,  # noqa: A002 - the contract's word
        page_size: int = 100,
    ) -> AsyncIterator[Image]:
        """Walk over the images of a collection by rising id.

        Args:
            collection: The collection.
            prefix: Only images whose source begins with this.
            filter: Only images that pass this expression over their metadata.
            page_size: How many to fetch at a time.
        """
        what: dict[str, str | None] = {"prefix": prefix, "filter": filter}
        first = get("/images", ImageList, collection=collection, **what, limit=page_size)
        async for page in self._connection.pages(first):
            for image in page.images:
                yield image

    async def count(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        filter: str | None = None,  # noqa: A002 - the contract's word
    ) -> int:
        """Count the images of a collection, or those that pass a filter."""
        call = get("/count", Count, collection=collection, filter=filter)
        return (await self._connection.send(call)).count

    async def image(self, image_id: int) -> Image:
        """Return one image: its name, sources, size and metadata."""
        return await self._connection.send(get(image_path(image_id), Image))

    async def content(self, image_id: int) -> bytes:
        """Return the stored bytes of an image."""
        return await self._connection.send(api("GET", image_path(image_id, "/content"), content_of))

    async def thumbnail(self, image_id: int, *, size: int | None = None) -> bytes:
        """Return a small WebP of an image, whose longer side has `size` pixels."""
        path, params = image_path(image_id, "/thumbnail"), given(size=size)
        return await self._connection.send(api("GET", path, content_of, params=params))

    async def update_metadata(self, image_id: int, metadata: Mapping[str, Any]) -> Image:
        """Replace the metadata of one image; what it had before is dropped."""
        path, body = image_path(image_id), {"metadata": metadata_of(metadata)}
        return await self._connection.send(
            api("PATCH", path, model(Image), json=body, is_harmless=True)
        )

    async def delete(
        self,
        ids: int | Iterable[int] | None = None,
        *,
        filter: str | None = None,  # noqa: A002 - the contract's word
        all: bool = False,  # noqa: A002 - the contract's word
        collection: str = DEFAULT_COLLECTION,
    ) -> int:
        """Delete images of a collection, and return how many were deleted.

        Args:
            ids: The id of an image, or several.
            filter: Instead of ids, an expression over the metadata, such as
                `shop == "north" and price < 20`.
            all: Instead of ids, every image of the collection.
            collection: The collection.

        Raises:
            UsageError: If none of the three is given, or more than one.
        """
        call = calls.delete(ids, filter=filter, all=all, collection=collection)
        return (await self._connection.send(call)).deleted

    # Collections; `reindex` is in `AsyncJobCalls`

    async def collections(self) -> tuple[Collection, ...]:
        """Return all collections, by name."""
        return (await self._connection.send(get("/collections", CollectionList))).collections

    async def create_collection(
        self, name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
    ) -> Collection:
        """Create an empty collection.

        Args:
            name: Letters, digits, `-`, `_` and `.`.
            descriptor: The name of its descriptor, such as `vgg16-rmac4`; by default the service's
                choice.
            ttl_seconds: Delete it so long after its last change, for scratch collections.
        """
        body = given(name=name, descriptor=descriptor, ttl_seconds=ttl_seconds)
        return await self._connection.send(post("/collections", Collection, body))

    async def delete_collection(self, name: str) -> None:
        """Delete a collection and its images."""
        await self._connection.send(api("DELETE", f"/collections/{segment(name)}", nothing))
