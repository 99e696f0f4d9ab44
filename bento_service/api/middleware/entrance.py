"""The outermost layer: routes all but the probes to the surface, and finishes each answer."""

import logging
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from uuid import uuid4

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bento_service.api.auth.access import audit
from bento_service.api.http.forwarded import Network, set_client
from bento_service.api.http.problems import answer_defect, answer_status, is_line_route
from bento_service.api.metrics import Metrics
from bento_service.json_log import REQUEST_ID
from client_sdk import __version__
from client_sdk.schemas import VERSION_HEADER

PROBES = ("/livez", "/readyz")
"""Paths that BentoML answers."""
_KEPT_HEADERS = ("allow", "retry-after", "vary")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("bento_service.access")


async def enter(
    surface: ASGIApp, bentoml: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve one request by the surface; only the probes reach BentoML.

    BentoML's other routes, such as `/schema.json`, cannot be reached.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    elif scope["type"] == "http" and scope["path"] not in PROBES:
        await surface(scope, receive, send)
    else:
        await AnswerMiddleware(bentoml)(scope, receive, send)


@dataclass(eq=False)
class AnswerMiddleware:
    """Middleware that finishes every answer, in one layer because each layer costs time.

    A request gets an id, the caller's if well-formed, and the client's address behind a trusted
    proxy. Failures of other code are rewritten as problem documents. The answer gets the request
    id, for known callers the service's version, and a `Location` without a host but with the
    proxy's prefix; then it is counted, logged and audited.

    Attributes:
        metrics: Counts requests and answers.
        trusted: Networks of trusted proxies.
    """

    app: ASGIApp
    metrics: Metrics | None = None
    trusted: Sequence[Network] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request = Request(scope)
        _set_id(request)
        prefix = set_client(scope, self.trusted)
        is_begun = is_replaced = False

        async def finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._finish(request, message, prefix, time.perf_counter() - started)
            await send(message)

        async def translated(message: Message) -> None:
            nonlocal is_begun, is_replaced
            is_begun = True
            if message["type"] == "http.response.start" and _is_foreign(request, message):
                is_replaced = True
                await _translation(request, message)(scope, receive, finished)
            elif not is_replaced:
                await finished(message)

        with nullcontext() if self.metrics is None else self.metrics.in_flight:
            try:
                await self.app(scope, receive, translated)
            except Exception as error:
                if is_begun:  # a partial answer cannot be replaced
                    raise
                await answer_defect(request, error)(scope, receive, finished)

    def _finish(self, request: Request, message: Message, prefix: str, seconds: float) -> None:
        scope, status, headers = request.scope, message["status"], MutableHeaders(scope=message)
        headers["X-Request-ID"] = scope["lookalike_request_id"]
        if scope.get("caller") is not None:
            headers[VERSION_HEADER] = __version__
        if location := headers.get("location"):
            headers["location"] = _location(request, location, prefix)
        if self.metrics is not None:
            self.metrics.observe(scope, status, seconds)
        audit(request, status)
        _log.debug(
            "%s %s %s %.0f ms %s",
            scope["method"],
            scope["path"],
            status,
            1000 * seconds,
            scope["lookalike_request_id"],
        )


def _set_id(request: Request) -> None:
    """Give a request the id in its header, or a new one if that is missing or malformed."""
    given = request.headers.get("x-request-id", "")
    request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
    request.scope["lookalike_request_id"] = request_id
    REQUEST_ID.set(request_id)


def _location(request: Request, location: str, prefix: str) -> str:
    """Return a `Location` of this service without its host, below a proxy's prefix.

    Starlette's redirects name the scheme and the host of the connection, which may be a proxy's.
    """
    url = request.url
    path = location.removeprefix(f"{url.scheme}://{url.netloc}")
    return prefix + path if path.startswith("/") and not path.startswith("//") else location


def _is_foreign(request: Request, message: Message) -> bool:
    if message["status"] < 400:
        return False
    kind = Headers(raw=message.get("headers", [])).get("content-type", "")
    return kind != "application/problem+json" and not is_line_route(request)


def _translation(request: Request, message: Message) -> ASGIApp:
    """Return a problem document in place of an answer with that status."""
    detail = "the request cannot be answered; /openapi.json lists the routes"
    if request.scope["path"] in PROBES:
        detail = "the service is not available; see /metrics and its log"
    ours = answer_status(request, message["status"], detail)
    given = Headers(raw=message.get("headers", []))
    ours.headers.update({name: given[name] for name in _KEPT_HEADERS if name in given})
    return ours
