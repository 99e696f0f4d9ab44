"""A service inside this process; the only module of the client that imports the service.

It imports the service by name on first use, because that needs the extra `local`.
"""

import asyncio
import importlib
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, TypeVar

import httpx

from client_sdk.errors import LocalUnavailable, UsageError

_MODULE = "bento_service.local.opening"

T = TypeVar("T")
Service = Any
"""A `bento_service.local.service.LocalService`: `ask`, `close` and `abandon`."""
Exchange = Any
"""A running request: `head` and `piece()` are futures; `close()` stops reading."""


def open_service(folder: str | PurePath | None, **options: Any) -> Service:
    """Open a service in this process; `Client.local` describes the arguments."""
    opening = _opening()
    try:
        return opening.open_local(folder, **options)
    except opening.failure as error:
        raise LocalUnavailable(str(error)) from error
    except (OSError, ValueError) as error:  # such as a path that is not valid
        raise UsageError(f"no service can be opened in {str(folder)!r:.80}: {error}") from error


def _opening() -> Any:
    try:
        return importlib.import_module(_MODULE)
    except ModuleNotFoundError as error:
        raise LocalUnavailable(
            f"a service in this process needs the extra `local`, but {error.name} is not "
            "installed; install it as docs/local.md says"
        ) from error


def start_exchange(service: Service, request: httpx.Request) -> Exchange:
    """Start a request to the service."""
    if not isinstance(request.stream, httpx.SyncByteStream):
        raise UsageError("a service in this process cannot receive an asynchronous body")
    path, _, query = request.url.raw_path.partition(b"?")
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    body: Iterator[bytes] = iter(request.stream)
    try:
        return service.ask(request.method, (path, query), headers, body)
    except _opening().failure as error:
        raise LocalUnavailable(str(error)) from error


def result_of(exchange: Exchange, answer: "Future[T]", request: httpx.Request) -> T:
    """Wait for a part of an answer; raise the errors of httpx if it does not arrive."""
    with _reading(exchange, answer, request) as seconds:
        return answer.result(seconds)


async def async_result_of(exchange: Exchange, answer: "Future[T]", request: httpx.Request) -> T:
    """Wait for a part of an answer without blocking the event loop."""
    with _reading(exchange, answer, request) as seconds:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(answer)


@contextmanager
def _reading(
    exchange: Exchange, answer: "Future[Any]", request: httpx.Request
) -> Generator[float | None]:
    """Yield the longest wait, in seconds; stop the exchange if the block ends early."""
    seconds: float | None = request.extensions.get("timeout", {}).get("read")
    try:
        yield seconds
    except TimeoutError as error:
        answer.cancel()
        exchange.close()
        raise httpx.ReadTimeout(f"no data within {seconds} s", request=request) from error
    except ConnectionError as error:
        raise httpx.ReadError(str(error), request=request) from error
    except asyncio.CancelledError:
        exchange.close()
        raise
