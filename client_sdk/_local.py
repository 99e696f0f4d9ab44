"""A service inside this process, as httpx sees it: the only place that loads the service's code.

It is loaded by its name when it is asked for: it needs the extra `local`, and nothing else of the
client depends on it.
"""

import asyncio
import importlib
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path, PurePath
from typing import Protocol, TypeVar, cast

import httpx

from client_sdk import _settings as settings
from client_sdk._arguments import listed
from client_sdk.errors import LocalUnavailable

URL = "http://localhost"
"""Stands for the service in requests and messages; nothing is sent there."""
_MODULE = "bento_service.local.opening"

_T = TypeVar("_T")
Head = tuple[int, list[tuple[bytes, bytes]]]


class Exchange(Protocol):
    """One request and its answer."""

    head: "Future[Head]"

    def piece(self) -> "Future[bytes]":
        """The next piece of the answer; an empty one at the end."""
        ...

    def close(self) -> None:
        """Tell that nobody reads on."""
        ...


class Service(Protocol):
    """A service in this process."""

    def ask(
        self,
        method: str,
        target: tuple[bytes, bytes],
        headers: list[tuple[bytes, bytes]],
        body: Iterator[bytes],
    ) -> Exchange:
        """Begin to answer a request."""
        ...

    def close(self) -> None:
        """Close it, and wait until nothing is left of it."""
        ...

    def abandon(self) -> None:
        """Tell it to end, and do not wait."""
        ...


class _Opening(Protocol):
    """What the service's module has."""

    failure: type[Exception]

    def open_local(
        self,
        folder: Path | None,
        model: Path,
        *,
        roots: Sequence[Path],
        precision: str | None,
        threads: int | None,
    ) -> Service:
        """Open a service in this process."""
        ...


def open_service(
    folder: str | PurePath | None,
    *,
    model: str | PurePath | None,
    roots: Sequence[str | PurePath],
    precision: str | None,
    threads: int | None,
    timeout: float | None,
) -> Service:
    """Open a service in this process; see `Client.local`.

    Raises:
        UsageError: The timeout is of no use, or `roots` is no list.
        LocalUnavailable: It cannot be opened.
    """
    folders = listed("roots", roots, "folders")
    settings.resolve(URL, "", timeout)  # before there is something to be closed
    opening = _opening()
    try:
        return opening.open_local(
            None if folder is None else Path(folder),
            settings.model_folder(model),
            roots=[Path(cast("str | PurePath", root)) for root in folders],
            precision=precision,
            threads=threads,
        )
    except opening.failure as error:
        raise LocalUnavailable(str(error)) from error


def _opening() -> _Opening:
    try:
        return cast("_Opening", importlib.import_module(_MODULE))
    except ModuleNotFoundError as error:
        raise LocalUnavailable(
            f"a service in this process needs the extra `local`, but {error.name} is not "
            "installed; run `pip install 'lookalike[local]'`"
        ) from error


class LocalTransport(httpx.BaseTransport):
    """Carries requests to a service in this process, and closes it at the end."""

    def __init__(self, service: Service) -> None:
        self._service = service
        # A client that was forgotten; whoever closes it waits for the end, which this may not.
        self._forgotten = weakref.finalize(self, service.abandon)
        self._forgotten.atexit = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Have a request answered."""
        exchange = _begun(self._service, request)
        status, headers = _got(exchange, exchange.head, request)
        return httpx.Response(status, headers=headers, stream=_Pieces(exchange, request))

    def close(self) -> None:
        """Close the service."""
        self._service.close()
        self._forgotten.detach()


class AsyncLocalTransport(httpx.AsyncBaseTransport):
    """The same for `AsyncClient`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._forgotten = weakref.finalize(self, service.abandon)
        self._forgotten.atexit = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Have a request answered."""
        exchange = _begun(self._service, request)
        status, headers = await _awaited(exchange, exchange.head, request)
        return httpx.Response(status, headers=headers, stream=_AsyncPieces(exchange, request))

    async def aclose(self) -> None:
        """Close the service."""
        await asyncio.to_thread(self._service.close)
        self._forgotten.detach()


class _Pieces(httpx.SyncByteStream):
    """The body of an answer, while it comes."""

    def __init__(self, exchange: Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        while piece := _got(self._exchange, self._exchange.piece(), self._request):
            yield piece

    def close(self) -> None:
        """Read no more of it."""
        self._exchange.close()


class _AsyncPieces(httpx.AsyncByteStream):
    """The same, awaited."""

    def __init__(self, exchange: Exchange, request: httpx.Request) -> None:
        self._exchange = exchange
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await _awaited(self._exchange, self._exchange.piece(), self._request):
            yield piece

    async def aclose(self) -> None:
        """Read no more of it."""
        self._exchange.close()


def _begun(service: Service, request: httpx.Request) -> Exchange:
    if not isinstance(request.stream, httpx.SyncByteStream):
        raise TypeError("a body that can only be read asynchronously cannot be sent from here")
    path, _, query = request.url.raw_path.partition(b"?")
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    body: Iterator[bytes] = iter(request.stream)
    try:
        return service.ask(request.method, (path, query), headers, body)
    except _failure() as error:
        raise LocalUnavailable(str(error)) from error


def _failure() -> type[Exception]:
    return _opening().failure


def _seconds(request: httpx.Request) -> float | None:
    limits: dict[str, float | None] = request.extensions.get("timeout", {})
    return limits.get("read")


def _got(exchange: Exchange, answer: "Future[_T]", request: httpx.Request) -> _T:
    seconds = _seconds(request)
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        answer.cancel()
        exchange.close()
        raise httpx.ReadTimeout(f"nothing within {seconds} s", request=request) from error
    except ConnectionError as error:
        raise httpx.ReadError(str(error), request=request) from error


async def _awaited(exchange: Exchange, answer: "Future[_T]", request: httpx.Request) -> _T:
    seconds = _seconds(request)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(answer)
    except TimeoutError as error:
        exchange.close()
        raise httpx.ReadTimeout(f"nothing within {seconds} s", request=request) from error
    except ConnectionError as error:
        raise httpx.ReadError(str(error), request=request) from error
    except asyncio.CancelledError:
        exchange.close()
        raise
