"""A service that runs in a thread with an event loop of its own."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes
from weakref import WeakSet, ref

from fastapi import FastAPI
from starlette.types import Scope

from bento_service.application import Application
from bento_service.local import LocalError
from bento_service.local.exchange import Exchange

_CLOSE_SECONDS = 60.0


class LocalService:
    """A service for one process, until it is closed. Threads may share it."""

    def __init__(
        self, surface: FastAPI, *, trouble: Callable[[], str | None] = lambda: None
    ) -> None:
        """Open the application of an HTTP surface and wait until it is open.

        `trouble` returns the reason why the service cannot continue, if there is one.
        """
        self._surface = surface
        self._trouble = trouble
        self._kept = ExitStack()
        self._process = os.getpid()
        self._exchanges: WeakSet[Exchange] = WeakSet()
        self._closing = threading.Lock()
        self._is_closed = False
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(opened)), name="lookalike-local", daemon=True
        )
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            if not opened.cancel():
                self.abandon()
            self._thread.join(_CLOSE_SECONDS)
            raise
        _close_at_exit(ref(self))

    async def _live(self, opened: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        opened.add_done_callback(partial(self._end_opening, asyncio.current_task()))
        try:
            async with self._surface.router.lifespan_context(self._surface):
                if opened.set_running_or_notify_cancel():
                    opened.set_result(None)
                await self._stop.wait()
                await self._end_exchanges()
        except asyncio.CancelledError:
            if not opened.cancelled():
                raise
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)

    def _end_opening(self, opening: "asyncio.Task[Any] | None", opened: "Future[None]") -> None:
        """Cancel the opening if its caller no longer waits for it, as after an interrupt."""
        if opening is not None and opened.cancelled():
            self._loop.call_soon_threadsafe(opening.cancel)

    async def _end_exchanges(self) -> None:
        running = [asyncio.wrap_future(exchange.running) for exchange in tuple(self._exchanges)]
        for future in running:
            future.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def ask(
        self,
        method: str,
        target: tuple[bytes, bytes],
        headers: list[tuple[bytes, bytes]],
        body: Iterator[bytes],
    ) -> Exchange:
        """Start to answer a request; `target` is its encoded path and query."""
        self._check()
        exchange = Exchange(self._surface, _scope(method, *target, headers), body, self._loop)
        self._exchanges.add(exchange)
        return exchange

    def _check(self) -> None:
        if os.getpid() != self._process:
            raise LocalError(
                "this client was created before the process forked, and its service runs in the "
                "parent; create a client in each process, each with its own folder"
            )
        if self._is_closed:
            raise LocalError("this client is closed; create another one")
        if not self._thread.is_alive():
            raise LocalError("the service in this process has ended; its log says why")
        if trouble := self._trouble():
            raise LocalError(trouble)
        application: Application | None = self._surface.state.application
        if application is not None and not application.is_alive:
            raise LocalError("the service in this process cannot continue; its log says why")

    def close(self) -> None:
        """Close the service and wait for its end. Closing twice does nothing."""
        if os.getpid() != self._process:
            return
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self.abandon()
            self._thread.join(_CLOSE_SECONDS)
            self._kept.close()

    def keep(self, stack: ExitStack) -> None:
        """Exit these contexts when the service is closed."""
        self._kept = stack

    def abandon(self) -> None:
        """Ask the service to end without waiting."""
        if os.getpid() == self._process:
            with suppress(RuntimeError):  # its loop is closed
                self._loop.call_soon_threadsafe(self._stop.set)


def _close_at_exit(service: "ref[LocalService]") -> None:
    """Close a forgotten service while threads can still start; `atexit` runs too late."""

    def close() -> None:
        if (forgotten := service()) is not None:
            forgotten.close()

    threading._register_atexit(close)  # type: ignore[attr-defined]


def _scope(method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }
