"""Reading the rest of a request body before a failure is answered."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.errors import RequestTimeout

_MAX_DRAINED = 32 * 2**20


@dataclass(eq=False)
class DrainMiddleware:
    """Middleware that reads the rest of a body before a failure is answered.

    A client that is still sending would lose the answer with its connection. How much is read, and
    for how long, is bounded.
    """

    app: ASGIApp
    seconds: float = 2.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        is_whole = not has_body or "expect" in headers  # such a client waits before it sends

        async def watched() -> Message:
            nonlocal is_whole
            message = await receive()
            is_whole = not message.get("more_body", False)
            return message

        async def send_after_body(message: Message) -> None:
            is_failure = message["type"] == "http.response.start" and message["status"] >= 400
            if is_failure and message["status"] != RequestTimeout.status and not is_whole:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.seconds):
                        await _drain(watched, lambda: is_whole)
            await send(message)

        await self.app(scope, watched, send_after_body)


async def _drain(receive: Receive, is_whole: Callable[[], bool]) -> None:
    drained = 0
    while drained < _MAX_DRAINED and not is_whole():
        drained += len((await receive()).get("body", b""))
