"""The client of a service."""

import asyncio
import copy
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from types import NoneType
from typing import Literal, Self

import httpx

from client_sdk._arguments import checked
from client_sdk._async.connection import AsyncConnection
from client_sdk._async.handles import AsyncCollectionHandle
from client_sdk._async.indexing import AsyncIndexingCalls
from client_sdk._async.local import AsyncLocalTransport
from client_sdk._async.results import AsyncImage
from client_sdk._async.retries import AsyncRetryTransport
from client_sdk._async.searching import AsyncSearchCalls
from client_sdk._calls.call import READY, Call, Page
from client_sdk._transport import local, settings
from client_sdk._transport.polling import Polling
from client_sdk._transport.retries import Retries
from client_sdk.errors import LookalikeError, UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Collection, Count, Deleted, Info


@checked
class AsyncClient(AsyncSearchCalls, AsyncIndexingCalls):
    """A client of one Lookalike service.

    Every method raises `ApiError` if the service rejects the request, `ConnectError` or
    `TimeoutExceeded` if it does not answer, `UnexpectedAnswer` if the answer does not follow the
    contract, `VersionMismatch` if the service is too old or too new, `UsageError` if an argument
    cannot be used, and `FileUnreadable` if a file cannot be read. All of them are `LookalikeError`.
    A client keeps its connections open until `close`. Several threads may share one `Client`. The
    logger `lookalike` of `logging` gets every request (DEBUG) and every retry (INFO).

        async with AsyncClient() as client:
            job = await client.train("holidays")
            await job.wait(progress=True)
            found = await client.search("beach.jpg")

    Args:
        base_url: The address of the service; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
            `local:FOLDER` opens a service inside this process, as `AsyncClient.local(FOLDER)` does.
        token: The bearer token; else `LOOKALIKE_TOKEN`. An empty string sends none.
        timeout: Seconds that each step of a request may take; else `LOOKALIKE_TIMEOUT`, else 60.
        transport: The httpx transport that sends the requests. It does not retry them unless
            `retries` is given.
        http_client: The httpx client that sends the requests, with its proxies, certificates,
            headers and hooks. `close` leaves it open.
        verify: The file of the certificates to trust (else `SSL_CERT_FILE`, else those of httpx),
            an `ssl.SSLContext`, or false to trust every certificate.
        retries: The limits of retries after a temporary failure, or the number of further attempts.
            The default is `Retries()`.
        check_version: If false, do not raise `VersionMismatch`.

    Raises:
        UsageError: If an argument, a variable of the environment or its proxy cannot be used.
        LocalUnavailable: If the service of `local:FOLDER` cannot be opened.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        http_client: httpx.AsyncClient | None = None,
        verify: settings.Verify = None,
        retries: Retries | int | None = None,
        check_version: bool = True,
    ) -> None:
        headers: Mapping[str, str] = {}
        if http_client is not None:
            base_url, headers = base_url or str(http_client.base_url), http_client.headers
        chosen = settings.resolve(base_url, token, timeout)
        settings.check_one_of(chosen, transport, http_client, verify)
        if chosen.folder is not None:
            transport = AsyncLocalTransport(local.open_service(chosen.folder or None))
        elif transport is None:
            retries = Retries() if retries is None else retries
            transport = (
                settings.transport_of(httpx.AsyncHTTPTransport, chosen.base_url, verify)
                if http_client is None
                else _AsyncClientTransport(http_client)
            )
        if retries is not None:
            transport = AsyncRetryTransport(transport, Retries.of(retries))
        self._connection = AsyncConnection(chosen, transport, headers, check_version=check_version)

    @classmethod
    def local(
        cls,
        folder: str | PurePath | None = None,
        *,
        model: str | PurePath | None = None,
        roots: Sequence[str | PurePath] = (),
        precision: Literal["int8", "int8_openvino", "fp32"] | None = None,
        threads: int | None = None,
        timeout: float | None = None,
    ) -> Self:
        """Open a service inside this process, without a server.

        The same pictures get the same scores as from a server. Opening takes about a second. It
        needs the extra `local` and a model; see docs/local.md.

        Args:
            folder: The data folder, created if needed, for one client at a time; by default a
                temporary one.
            model: The folder of the model; else `LOOKALIKE_MODEL`, else one in the user's cache.
            roots: The folders from which `train` may read; by default it may read every file.
            precision: `int8`, `int8_openvino` or `fp32`; by default the fastest one here.
            threads: The number of cores that describe pictures; by default all.
            timeout: The same as in `AsyncClient`.

        Raises:
            LocalUnavailable: If the extra or the model is missing, or another client uses the
                folder.
        """
        url = settings.LOCAL_URL
        settings.resolve(url, "", timeout)  # fails before a service is opened
        service = local.open_service(
            folder, model=model, roots=roots, precision=precision, threads=threads
        )
        return cls(url, token="", timeout=timeout, transport=AsyncLocalTransport(service))

    def with_options(self, *, timeout: float) -> Self:
        """Return a client that shares the connections of this one, with another timeout.

            client.with_options(timeout=5).search("cat.jpg")

        Args:
            timeout: Seconds that each step of a request may take.
        """
        other = copy.copy(self)
        other._connection = copy.copy(self._connection)
        other._connection.settings = replace(self._connection.settings, timeout=timeout)
        return other

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._connection.settings.address!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
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
        polling = Polling(timeout=timeout, interval=interval)
        ready = Call("GET", READY, NoneType)
        while True:
            try:
                return await self._connection.send(ready, polling.request_seconds)
            except LookalikeError as error:
                pause = polling.pause("the service is not ready", error)
            await asyncio.sleep(pause)

    async def info(self) -> Info:
        """Return the version, model, engine, index and limits of the service."""
        return await self._connection.send(Call("GET", "/info", Info))

    def images(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        prefix: str | None = None,
        filter: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[AsyncImage]:
        """Yield the images of a collection in the order of their ids.

        Args:
            collection: The collection.
            prefix: Yield only images whose source begins with this.
            filter: Yield only images that pass this expression over their metadata.
            page_size: The number of images that one request fetches.
        """
        fields = {"collection": collection, "prefix": prefix, "filter": filter, "limit": page_size}
        return self._connection.items(Call("GET", "/images", Page[AsyncImage], fields=fields))

    async def count(
        self, *, collection: str = DEFAULT_COLLECTION, filter: str | None = None
    ) -> int:
        """Count the images of a collection, or those that pass a filter."""
        fields = {"collection": collection, "filter": filter}
        answer = await self._connection.send(Call("GET", "/count", Count, fields=fields))
        return answer.count

    async def image(self, image_id: int) -> AsyncImage:
        """Return one image: its name, sources, size and metadata.

        Its methods fetch its picture and its descriptor, and change its metadata.
        """
        return await self._connection.send(Call("GET", f"/images/{image_id}", AsyncImage))

    async def delete(
        self,
        ids: int | Iterable[int] | None = None,
        *,
        filter: str | None = None,
        all: bool = False,
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
        if [ids is not None, filter is not None, all].count(True) != 1:
            raise UsageError(
                "delete() takes exactly one of ids, filter=... and all=True; nothing was deleted"
            )
        fields = {
            "collection": collection,
            "ids": [ids] if isinstance(ids, int) else ids,
            "filter": filter,
            "all": all or None,
        }
        answer = await self._connection.send(Call("POST", "/delete", Deleted, fields=fields))
        return answer.deleted

    async def collections(self) -> tuple[Collection, ...]:
        """Return all collections, sorted by name."""
        call = Call("GET", "/collections", Page[Collection])
        return (await self._connection.send(call)).items

    def collection(self, name: str) -> AsyncCollectionHandle:
        """Return the handle of a collection, without a request: it need not exist.

        client.collection("hats").reindex("vgg16-rmac4")
        """
        return AsyncCollectionHandle(name, self._connection)

    async def create_collection(
        self, name: str, descriptor: str | None = None, *, ttl_seconds: int | None = None
    ) -> Collection:
        """Create an empty collection.

        Args:
            name: The name, of letters, digits, `-`, `_` and `.`.
            descriptor: Such as `vgg16-rmac4`; by default the service chooses.
            ttl_seconds: The service deletes the collection this many seconds after its last
                change; by default never.
        """
        fields = {"name": name, "descriptor": descriptor, "ttl_seconds": ttl_seconds}
        return await self._connection.send(Call("POST", "/collections", Collection, fields=fields))


class _AsyncClientTransport(httpx.AsyncBaseTransport):
    """A transport that sends by an httpx client of the caller, which stays open."""

    def __init__(self, http_client: httpx.AsyncClient) -> None:
        self._http_client = http_client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._http_client.send(request, stream=True)
