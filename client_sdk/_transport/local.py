"""A service inside this process; the only module of the client that imports the service.

The import happens on first use, by name: it needs the extra `local`, on which the rest of the
client does not depend.
"""

import asyncio
import importlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path, PurePath
from typing import Any, TypeVar, cast

import httpx

from client_sdk._arguments import listed
from client_sdk._transport import settings
from client_sdk.errors import LocalUnavailable, UsageError

URL = "http://localhost"
"""The address of the service in requests and messages; nothing is sent to it."""
_MODULE = "bento_service.local.opening"

T = TypeVar("T")
Service = Any
"""A `bento_service.local.service.LocalService`: `ask`, `close` and `abandon`."""
Exchange = Any
"""A request under way: `head` and `piece()` are futures; `close()` stops reading."""


def open_service(
    folder: str | PurePath | None,
    model: str | PurePath | None,
    roots: Sequence[str | PurePath],
    precision: str | None,
    threads: int | None,
    timeout: float | None,
) -> Service:
    """Open a service in this process; see `Client.local`."""
    folders = listed("roots", roots, "folders")
    settings.resolve(URL, "", timeout)  # fails before a service is opened
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


def _opening() -> Any:
    try:
        return importlib.import_module(_MODULE)
    except ModuleNotFoundError as error:
        raise LocalUnavailable(
            f"a service in this process needs the extra `local`, but {error.name} is not "
            "installed; install it as docs/local.md says"
        ) from error


def begun(service: Service, request: httpx.Request) -> Exchange:
    """Start a request to the service."""
    if not isinstance(request.stream, httpx.SyncByteStream):
        raise UsageError("a body that can only be read asynchronously cannot be sent from here")
    path, _, query = request.url.raw_path.partition(b"?")
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    body: Iterator[bytes] = iter(request.stream)
    try:
        return service.ask(request.method, (path, query), headers, body)
    except _opening().failure as error:
        raise LocalUnavailable(str(error)) from error


def _seconds(request: httpx.Request) -> float | None:
    limits: dict[str, float | None] = request.extensions.get("timeout", {})
    return limits.get("read")


def result_of(exchange: Exchange, answer: "Future[T]", request: httpx.Request) -> T:
    """Wait for a part of an answer; raise the errors of httpx if it does not arrive."""
    seconds = _seconds(request)
    try:
        return answer.result(seconds)
    except TimeoutError as error:
        answer.cancel()
        exchange.close()
        raise httpx.ReadTimeout(f"nothing within {seconds} s", request=request) from error
    except ConnectionError as error:
        raise httpx.ReadError(str(error), request=request) from error


async def async_result_of(exchange: Exchange, answer: "Future[T]", request: httpx.Request) -> T:
    """Wait for a part of an answer without blocking the event loop."""
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
