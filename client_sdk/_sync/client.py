# Generated from client_sdk/_async/client.py by `make sync`; edit that file instead.
"""The client of a service."""

import copy
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from types import NoneType
from typing import Literal, Self

import httpx

from client_sdk._arguments import checked
from client_sdk._calls.call import READY, Call, Page
from client_sdk._sync.connection import Connection
from client_sdk._sync.handles import CollectionHandle
from client_sdk._sync.indexing import IndexingCalls
from client_sdk._sync.local import LocalTransport
from client_sdk._sync.results import Image
from client_sdk._sync.retries import RetryTransport
from client_sdk._sync.searching import SearchCalls
from client_sdk._transport import local, settings
from client_sdk._transport.polling import Polling
from client_sdk._transport.retries import Retries
from client_sdk.errors import LookalikeError, UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Collection, Count, Deleted, Info


@checked
class Client(SearchCalls, IndexingCalls):
    """A client of one Lookalike service.

    Every method raises `ApiError` if the service rejects the request, `ConnectError` or
    `TimeoutExceeded` if it does not answer, `UnexpectedAnswer` if the answer does not follow the
    contract, `VersionMismatch` if the service is too old or too new, `UsageError` if an argument
    cannot be used, and `FileUnreadable` if a file cannot be read. All of them are `LookalikeError`.
    A client keeps its connections open until `close`. Several threads may share one `Client`. The
    logger `lookalike` of `logging` gets every request (DEBUG) and every retry (INFO).

        with Client() as client:
            job = client.train("holidays")
            job.wait(progress=True)
            found = client.search("beach.jpg")

    Args:
        base_url: The address of the service; else `LOOKALIKE_URL`, else `http://127.0.0.1:8001`.
            `local:FOLDER` opens a service inside this process, as `Client.local(FOLDER)` does.
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
        transport: httpx.BaseTransport | None = None,
        http_client: httpx.Client | None = None,
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
            transport = LocalTransport(local.open_service(chosen.folder or None))
        elif transport is None:
            retries = Retries() if retries is None else retries
            transport = (
                settings.transport_of(httpx.HTTPTransport, chosen.base_url, verify)
                if http_client is None
                else _ClientTransport(http_client)
            )
        if retries is not None:
            transport = RetryTransport(transport, Retries.of(retries))
        self._connection = Connection(chosen, transport, headers, check_version=check_version)

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
            timeout: The same as in `Client`.

        Raises:
            LocalUnavailable: If the extra or the model is missing, or another client uses the
                folder.
        """
        url = settings.LOCAL_URL
        settings.resolve(url, "", timeout)  # fails before a service is opened
        service = local.open_service(
            folder, model=model, roots=roots, precision=precision, threads=threads
        )
        return cls(url, token="", timeout=timeout, transport=LocalTransport(service))

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._connection.close()

    def wait_ready(
        self,
        *,
        timeout: float = 60.0,
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
                return self._connection.send(ready, polling.request_seconds)
            except LookalikeError as error:
                pause = polling.pause("the service is not ready", error)
            time.sleep(pause)

    def info(self) -> Info:
        """Return the version, model, engine, index and limits of the service."""
        return self._connection.send(Call("GET", "/info", Info))

    def images(
        self,
        *,
        collection: str = DEFAULT_COLLECTION,
        prefix: str | None = None,
        filter: str | None = None,
        page_size: int = 100,
    ) -> Iterator[Image]:
        """Yield the images of a collection in the order of their ids.

        Args:
            collection: The collection.
            prefix: Yield only images whose source begins with this.
            filter: Yield only images that pass this expression over their metadata.
            page_size: The number of images that one request fetches.
        """
        fields = {"collection": collection, "prefix": prefix, "filter": filter, "limit": page_size}
        return self._connection.items(Call("GET", "/images", Page[Image], fields=fields))

    def count(self, *, collection: str = DEFAULT_COLLECTION, filter: str | None = None) -> int:
        """Count the images of a collection, or those that pass a filter."""
        fields = {"collection": collection, "filter": filter}
        answer = self._connection.send(Call("GET", "/count", Count, fields=fields))
        return answer.count

    def image(self, image_id: int) -> Image:
        """Return one image: its name, sources, size and metadata.

        Its methods fetch its picture and its descriptor, and change its metadata.
        """
        return self._connection.send(Call("GET", f"/images/{image_id}", Image))

    def delete(
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
        answer = self._connection.send(Call("POST", "/delete", Deleted, fields=fields))
        return answer.deleted

    def collections(self) -> tuple[Collection, ...]:
        """Return all collections, sorted by name."""
        call = Call("GET", "/collections", Page[Collection])
        return self._connection.send(call).items

    def collection(self, name: str) -> CollectionHandle:
        """Return the handle of a collection, without a request: it need not exist.

        client.collection("hats").reindex("vgg16-rmac4")
        """
        return CollectionHandle(name, self._connection)

    def create_collection(
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
        return self._connection.send(Call("POST", "/collections", Collection, fields=fields))


class _ClientTransport(httpx.BaseTransport):
    """A transport that sends by an httpx client of the caller, which stays open."""

    def __init__(self, http_client: httpx.Client) -> None:
        self._http_client = http_client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._http_client.send(request, stream=True)
