"""Checks of the embedder's requests before BentoML sees them.

The embedder may be a separate deployment that strangers can reach. So it has only these routes and
accepts only arrays of images. It knows the size of each body before reading it, and limits the
images in memory. Every answer names the descriptors that the embedder computes.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.descriptors.describing import DESCRIPTORS_HEADER, MAX_ROWS
from bento_service.descriptors.version import DescriptorVersion, identity
from bento_service.serving.array_messages import ARRAY_KEY, InvalidArray, images_kind
from client_sdk.schemas import Problem

_PROBES = ("/livez", "/readyz", "/healthz", "/metrics")
_SLOWEST_BYTES_A_SECOND = 2**20


@dataclass(eq=False)
class EmbedderEntrance:
    """ASGI middleware in front of the embedder's BentoML routes.

    Attributes:
        app: BentoML's application.
        routes: The paths that take images.
        versions: Returns the descriptor versions that the embedder computes, once it serves.
        body_seconds: Seconds that a body may fall behind 1 MiB a second.
        max_rows_in_flight: Most images of all concurrent requests together.
    """

    app: ASGIApp
    routes: Sequence[str]
    versions: Callable[[], Sequence[DescriptorVersion]]
    body_seconds: float = 20.0
    max_rows_in_flight: int = 2048
    _rows_in_flight: int = field(default=0, init=False)

    @cached_property
    def _descriptors(self) -> str:
        return identity(self.versions())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, _naming(send, self._descriptors))
        else:
            await send({"type": "websocket.close"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if path in _PROBES and method in ("GET", "HEAD"):
            await self.app(scope, receive, send)
        elif path not in self.routes:
            known = ", ".join((*self.routes, *_PROBES))
            await _problem(404, "not_found", f"the embedder answers {known}")(scope, receive, send)
        elif method != "POST":
            refusal = _problem(405, "method_not_allowed", "send POST", {"allow": "POST"})
            await refusal(scope, receive, send)
        else:
            await self._describe(scope, receive, send)

    async def _describe(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = images_kind(self.versions()[0].preprocessing.size, MAX_ROWS)
        try:
            rows = kind.rows(Headers(scope=scope))
        except InvalidArray as error:
            await _problem(400, "bad_request", str(error))(scope, receive, send)
            return
        if self._rows_in_flight + rows > self.max_rows_in_flight:
            text = f"{self._rows_in_flight} images are being described; try again shortly"
            refusal = _problem(429, "overloaded", text, {"retry-after": "1"})
            await refusal(scope, receive, send)
            return
        self._rows_in_flight += rows
        try:
            scope[ARRAY_KEY] = kind.array(await self._body(receive, rows * kind.row_bytes), rows)
        except TimeoutError:
            await _problem(408, "request_timeout", "the body comes too slowly")(
                scope, receive, send
            )
        except InvalidArray as error:
            await _problem(400, "bad_request", str(error))(scope, receive, send)
        else:
            await self.app(scope, receive, send)
        finally:
            self._rows_in_flight -= rows

    async def _body(self, receive: Receive, announced: int) -> bytearray:
        """Return a body, or the part that came; raise `TimeoutError` if it comes too slowly."""
        body = bytearray()
        async with asyncio.timeout(self.body_seconds + announced / _SLOWEST_BYTES_A_SECOND):
            while len(body) < announced:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    break
        return body


def _naming(send: Send, descriptors: str) -> Send:
    """Return a `send` that names the computed descriptors in the headers of an answer."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[DESCRIPTORS_HEADER] = descriptors
        await send(message)

    return named


def _problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=uuid4().hex,
    )
    return Response(
        problem.model_dump_json(), status, headers, media_type="application/problem+json"
    )
