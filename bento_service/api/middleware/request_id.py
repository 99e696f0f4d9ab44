"""Middleware for request ids, and for the size of request bodies."""

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.http.problems import answer_error
from bento_service.errors import RequestTimeout, TooLarge
from client_sdk import __version__
from client_sdk.schemas import VERSION_HEADER

_log = logging.getLogger("bento_service.access")
_MAX_DRAINED = 32 * 2**20
# Forms are written to disk while they arrive; every other body is kept in memory.
_TAKE_FILES = ("/api/v2/train", "/api/v2/search", "/api/v1/search")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Middleware that gives requests an id, the caller's if well-formed, and logs outcomes.

    Answers to known callers also carry the service's version.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
        scope["lookalike_request_id"] = request_id
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if scope.get("caller") is not None:
                    headers[VERSION_HEADER] = __version__
                _log.debug(
                    "%s %s %s %.0f ms %s",
                    scope["method"],
                    scope["path"],
                    message["status"],
                    1000 * (time.perf_counter() - started),
                    request_id,
                )
            await send(message)

        await self._app(scope, receive, send_with_id)


class BodyLimit:
    """Middleware that rejects bodies over a limit, by declared and by received size."""

    def __init__(self, app: ASGIApp, max_bytes: int, max_json_bytes: int) -> None:
        """Wrap an app.

        Args:
            app: The wrapped app.
            max_bytes: Largest form with files.
            max_json_bytes: Largest other body.
        """
        self._app = app
        self._max_bytes = max_bytes
        self._max_json_bytes = min(max_bytes, max_json_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        most, error = self._limit(scope["path"], headers.get("content-type", ""))
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > most:
            await _drain(receive)
            await answer_error(Request(scope), error)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                if message.get("more_body"):
                    await _drain(receive)
                raise error
            return message

        await self._app(scope, counted, send)

    def _limit(self, path: str, kind: str) -> tuple[int, TooLarge]:
        if path in _TAKE_FILES and kind.lower().startswith("multipart/form-data"):
            return self._max_bytes, TooLarge(
                f"the request has more than {self._max_bytes} bytes; send less at once, or raise "
                "LOOKALIKE_MAX_REQUEST_BYTES"
            )
        return self._max_json_bytes, TooLarge(
            f"the body has more than {self._max_json_bytes} bytes; send less at once, pictures as "
            "a form, or raise LOOKALIKE_MAX_JSON_BYTES"
        )


async def _drain(receive: Receive) -> None:
    """Read the rest of a body, within a bound: an early answer can be lost on a busy connection."""
    drained = 0
    while drained < _MAX_DRAINED:
        try:
            message = await receive()
        except RequestTimeout:
            return
        drained += len(message.get("body", b""))
        if not message.get("more_body"):
            return
