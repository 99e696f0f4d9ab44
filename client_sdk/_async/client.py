"""The client of a service."""

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
    """A client of one Lookalike service.

    Every method raises `ApiError` if the service rejects the request, `ConnectError` or
    `TimeoutExceeded` if it does not answer, `UnexpectedAnswer` if the answer does not follow the
    contract, `VersionMismatch` if the service is too old or too new, and `UsageError` if an
    argument cannot be used. All of them are `LookalikeError`. A client keeps its connections open
    until `close`. Several threads may share one `Client`.

        async with AsyncClient() as client:
            job = await client.train("holidays")
            await job.wait(progress=True)
            found = await client.search("beach.jpg")

    Args:
        base_url: The address of the service; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
        token: The bearer token; else `LOOKALIKE_TOKEN`. An empty string sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: The transport of the requests, instead of httpx's own.
        retries: The retries of repeatable calls after a temporary failure: a `Retries` with all
            limits, or the number of further attempts. The default is `Retries()`; with a
            `transport` of your own it is no retries.
        check_version: If true, raise `VersionMismatch` if the service is too old or too new.

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
        """Open a service inside this process, without a server.

        It answers as a server does: the same pictures get the same scores. It stores its data in
        `folder`, which only one client at a time may use. Opening takes about a second. It needs
        the extra `local` and a model; see docs/local.md.

        Args:
            folder: The data folder, created if needed; by default a temporary one.
            model: The folder of the model; else `LOOKALIKE_MODEL`, else one in the user's cache.
            roots: The folders from which `train` may read; by default it may read every file.
            precision: `int8` or `fp32`; by default the faster one on this machine.
            threads: The number of cores that describe pictures; by default all.
            timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else
                60.

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
        """Close the connections; the client cannot be used afterwards."""
        await self._connection.close()

    async def wait_ready(
        self,
        *,
        timeout: float = 60.0,  # noqa: ASYNC109 - the last poll gets extra time
        interval: float = 0.2,
    ) -> None:
        """Wait until the service can answer searches.

        Args:
            timeout: The longest wait, in seconds.
            interval: Seconds between the first two polls; the pauses grow up to 2 s.

        Raises:
            TimeoutExceeded: If the service is not ready in time.
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
        """Return the version, model, engine, index and limits of the service."""
        return await self._connection.send(get("/info", Info))

    # Search

    async def search(self, image: Query, **options: Unpack[SearchKeywords]) -> SearchResponse:
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

        Raises:
            OSError: If the file cannot be read.
            UsageError: If the query or an option cannot be used.
            UrlUnreachable: If the service could not fetch the URL, or is not allowed to.
        """
        return await self._connection.send(calls.search(image, options))

    async def compare(
        self, a: Query, b: Query, *, collection: str = DEFAULT_COLLECTION
    ) -> Comparison:
        """Decide whether two pictures are the same, nearly the same, or only similar.

        Args:
            a: A picture, or the id of a stored image.
            b: The other picture or id.
            collection: The collection whose descriptor is used; stored images may be in any.

        Raises:
            ImageNotFound: If there is no image with that id.
            OSError: If a file cannot be read.
            UsageError: If `a` or `b` is neither a picture nor an id.
        """
        return await self._connection.send(compare(a, b, collection=collection))

    async def duplicates(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        min_score: float | None = None,
        page_size: int = 20,
    ) -> AsyncIterator[DuplicateGroup]:
        """Yield the groups of images that are the same picture or nearly so.

        Each group is yielded once and complete, in the order of its smallest id. The service
        searches while the caller iterates, so that the first groups of a large collection arrive
        early.

        Args:
            collection: The collection.
            min_score: The lowest score that puts two images into one group; similar hashes do
                so at any score. By default the threshold of the collection's descriptor for
                `near_duplicate`.
            page_size: The number of groups that one request fetches.
        """
        body = given(collection=collection, min_score=min_score, limit=page_size)
        first = post("/duplicates", DuplicateGroups, body, is_harmless=True)
        async for page in self._connection.pages(first):
            for group in page.groups:
                yield group

    # Indexing; `train`, `upload`, `job` and others are in `AsyncJobCalls`

    async def upload_folder(
        self, folder: str | os.PathLike[str], **options: Unpack[FolderKeywords]
    ) -> UploadReport:
        """Send the pictures of a folder that the service does not have yet.

        Files are read and sent in batches, so that a folder of any size fits in memory. Requests
        are safe to repeat: no file is lost or stored twice, and after an interruption the same
        call continues with the rest.

        Args:
            folder: The folder. The source of each image is its path relative to it.
            **options: Each with its default in parentheses: `collection` of the images
                (`default`); `pattern`, the files to send (the usual names of picture files; `*`
                selects every file), and `ignore`, the files to skip (none), both as in a
                `.gitignore`; `recursive`, include subfolders (yes); `metadata`, stored with every
                new image (none); `concurrency`, the number of parallel requests (4); `batch_files`
                (100) and `batch_bytes` (32 MiB), the limits of one request; `skip_known`, ask the
                service first which files the collection has, and skip them (yes); `wait`, wait for
                the jobs (yes), each for at most `timeout` seconds (3600); `progress`, show the
                progress on stderr (no).

        Returns:
            The outcome of every file. A failed file is reported and raises nothing.

        Raises:
            UsageError: If `folder` is not a folder, or an option cannot be used.
            UploadStopped: If the upload cannot continue, for example because the service is
                unreachable for too long.
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
        """Yield the images of a collection in the order of their ids.

        Args:
            collection: The collection.
            prefix: Yield only images whose source begins with this.
            filter: Yield only images that pass this expression over their metadata.
            page_size: The number of images that one request fetches.
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
        """Return a thumbnail of an image as WebP; its longer side has `size` pixels."""
        path, params = image_path(image_id, "/thumbnail"), given(size=size)
        return await self._connection.send(api("GET", path, content_of, params=params))

    async def update_metadata(self, image_id: int, metadata: Mapping[str, Any]) -> Image:
        """Replace all metadata of one image, and return the image."""
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
        """Delete images of a collection, and return the number of deleted images.

        Args:
            ids: The id of an image, or several ids.
            filter: Instead of ids, an expression over the metadata that selects the images, such
                as `shop == "north" and price < 20`.
            all: Instead of ids, every image of the collection.
            collection: The collection.

        Raises:
            UsageError: If not exactly one of `ids`, `filter` and `all` is given.
        """
        call = calls.delete(ids, filter=filter, all=all, collection=collection)
        return (await self._connection.send(call)).deleted

    # Collections; `reindex` is in `AsyncJobCalls`

    async def collections(self) -> tuple[Collection, ...]:
        """Return all collections, sorted by name."""
        return (await self._connection.send(get("/collections", CollectionList))).collections

    async def create_collection(
        self, name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
    ) -> Collection:
        """Create an empty collection.

        Args:
            name: The name, of letters, digits, `-`, `_` and `.`.
            descriptor: The name of its descriptor, such as `vgg16-rmac4`; by default the service
                chooses.
            ttl_seconds: The service deletes the collection this many seconds after its last
                change; by default never.
        """
        body = given(name=name, descriptor=descriptor, ttl_seconds=ttl_seconds)
        return await self._connection.send(post("/collections", Collection, body))

    async def delete_collection(self, name: str) -> None:
        """Delete a collection and its images."""
        await self._connection.send(api("DELETE", f"/collections/{segment(name)}", nothing))
