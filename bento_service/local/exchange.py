"""One request and its answer, between a caller's thread and the service's event loop."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Scope

_T = TypeVar("_T")
_PIECES = 8
_log = logging.getLogger(__name__)
Head = tuple[int, list[tuple[bytes, bytes]]]
"""The status and the headers of an answer."""


class Broken(ConnectionError):
    """The service ended before the answer did."""


class Exchange:
    """A request in progress. The caller creates, reads and closes it; the rest runs in the loop.

    The service pulls the body and the caller pulls the answer, so that neither is in memory
    completely.
    """

    def __init__(
        self, app: ASGIApp, scope: Scope, body: Iterator[bytes], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Start the request in the app's event loop; the body's pieces are read in a thread."""
        self._app = app
        self._scope = scope
        self._body: Iterator[bytes] | None = filter(None, body)
        self._loop = loop
        self._pieces: asyncio.Queue[bytes | Broken] = asyncio.Queue(_PIECES)
        self._left = asyncio.Event()
        self._is_whole = False
        self.head: Future[Head] = Future()
        self.running = self._in_loop(self._run())

    def piece(self) -> "Future[bytes]":
        """Return the next piece of the answer, an empty one at its end, or raise `Broken`."""
        return self._in_loop(self._next())

    def close(self) -> None:
        """Stop reading."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave)

    def _in_loop(self, what: Coroutine[Any, Any, _T]) -> "Future[_T]":
        if self._loop.is_closed():
            what.close()
            raise Broken("the service has ended")
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - already answered; servers log it too
            _log.warning("a request ended with %s", type(error).__name__, exc_info=error)
        finally:
            if not self.head.done():
                self.head.set_exception(Broken("the service ended"))
            if not (self._is_whole or self._left.is_set()):
                self._break_off()

    def _break_off(self) -> None:
        if self._pieces.full():  # an incomplete answer is useless
            self._pieces.get_nowait()
        self._pieces.put_nowait(Broken("the service ended before the answer did"))

    async def _next(self) -> bytes:
        piece = await self._pieces.get()
        if isinstance(piece, Broken):
            raise piece
        return piece

    def _leave(self) -> None:
        self._left.set()
        while not self._pieces.empty():  # unblocks a pending send
            self._pieces.get_nowait()

    async def _receive(self) -> Message:
        if self._body is None:
            await self._left.wait()
            return {"type": "http.disconnect"}
        try:
            piece = await run_sync(next, self._body, b"")
        except (OSError, ValueError) as error:  # reading the caller's file failed
            self._body = None
            self._left.set()
            if not self.head.done():
                self.head.set_exception(error)
            return {"type": "http.disconnect"}
        if not piece:
            self._body = None
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.head.done():
                self.head.set_result((message["status"], list(message.get("headers", []))))
        elif self._left.is_set():
            await asyncio.sleep(0)  # lets an endless sender notice the disconnect
        elif message["type"] == "http.response.body":
            if body := message.get("body", b""):
                await self._pieces.put(body)
            if not message.get("more_body", False):
                self._is_whole = True
                await self._pieces.put(b"")
