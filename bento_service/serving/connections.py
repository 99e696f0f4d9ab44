"""uvicorn's HTTP connection, with the timeouts and size limits that uvicorn lacks.

uvicorn waits without limit for the head of a request, reads a head of any size, waits without limit
for a client that does not read its answer, and closes idle connections while proxies still use
them. BentoML starts uvicorn and has no options for most of these limits, so uvicorn's protocol
class is replaced. A test fails if that loses its effect.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from uuid import uuid4

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from bento_service.api.auth.loopback import CONNECTION
from client_sdk.schemas import Problem

_MAX_HEAD_BYTES = 64 * 1024
_REST_SECONDS = 5.0
_UNREAD_SECONDS = 20.0
_IDLE_SECONDS = 75.0
"""Longer than clients and proxies keep idle connections: httpx 5 s, nginx and load balancers 60 s.

A request that is sent while the service closes its connection is lost.
"""
_READ_BYTES = 32 * 1024


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits of connections.

    Attributes:
        head_seconds: Time limit for the head of a request.
        head_bytes: Most bytes received in a row that are not part of a body.
        rest_seconds: Time limit for the rest of a request that was answered early.
        unread_seconds: Time in which the client must read some of its answer.
        idle_seconds: Time after which a connection without a further request is closed.
        connections: Most open connections; a further one closes the one that is idle longest.
    """

    head_seconds: float
    head_bytes: int = _MAX_HEAD_BYTES
    rest_seconds: float = _REST_SECONDS
    unread_seconds: float = _UNREAD_SECONDS
    idle_seconds: float = _IDLE_SECONDS
    connections: int = 1000


def guard_connections(*, head_seconds: float) -> None:
    """Make uvicorn guard the connections of all servers that this process starts later."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = ConnectionLimits(head_seconds, connections=max(16, files // 2))
    guarded = type("Guarded", (GuardedConnection,), {"limits": limits})
    cast("dict[str, Any]", HTTP_PROTOCOLS)["auto"] = guarded


class GuardedConnection(HttpToolsProtocol):
    """A connection with limits, if it uses TCP; BentoML's own services connect without."""

    limits: ClassVar[ConnectionLimits]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.timeout_keep_alive = self.limits.idle_seconds  # type: ignore[assignment]
        self.idle_since = self.loop.time()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._awaits_head = True
        self._without_body = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout of the first request's head."""
        super().connection_made(transport)
        if self._is_guarded:
            self._make_room()
            self._after("head", self.limits.head_seconds, self._on_late_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timeouts."""
        for name in tuple(self._timers):
            self._stop(name)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes, and count those that are not part of a body."""
        self._without_body += len(data)
        super().data_received(data)
        if not self._is_guarded or self.transport.is_closing():
            return
        if self._without_body > self.limits.head_bytes:
            self._refuse(431, "too_large", f"a head has up to {self.limits.head_bytes} bytes")
        elif self._awaits_head and self.is_idle and "head" not in self._timers:
            self._after("head", self.limits.head_seconds, self._on_late_head)

    def on_message_begin(self) -> None:
        """Record the real peer in the request's scope."""
        self._awaits_head = True
        super().on_message_begin()
        # uvicorn trusts the forwarding headers of every process on this machine.
        cast("dict[str, Any]", self.scope)[CONNECTION] = (self.client, self.scheme)

    def on_headers_complete(self) -> None:
        """Cancel the timeout of the head, which is complete."""
        self._awaits_head = False
        self._without_body = 0
        self._stop("head")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Restart the count of bytes outside of bodies."""
        self._without_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Cancel the timeout of the rest of the request, which is complete."""
        self._awaits_head = True
        self._stop("rest")
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the timeout of the request's rest if the answer came before it."""
        super().on_response_complete()
        self.idle_since = self.loop.time()
        if self._is_guarded and not self._awaits_head:
            self._after("rest", self.limits.rest_seconds, self._close)
        if self.transport.is_closing():
            self._close()

    def pause_writing(self) -> None:
        """Start the timeout of a client that does not read its answer."""
        super().pause_writing()
        if self._is_guarded:
            self._watch_reader()

    def resume_writing(self) -> None:
        """Cancel the timeout of a client that reads again."""
        self._stop("unread")
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without a further request."""
        self._close()

    def send_400_response(self, msg: str) -> None:
        """Reject a message that is not HTTP."""
        self._refuse(400, "bad_request", "this is not an HTTP request")

    @property
    def is_idle(self) -> bool:
        """True while no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def _is_guarded(self) -> bool:
        return self.client is not None

    def _should_upgrade_to_ws(self) -> bool:
        return False  # web sockets are not supported; the request is served as plain HTTP

    def _unsupported_upgrade_warning(self) -> None:
        pass

    def _on_late_head(self) -> None:
        if self._without_body:
            seconds = f"{self.limits.head_seconds:g} s"
            self._refuse(408, "request_timeout", f"the head did not come within {seconds}")
        else:
            self._close()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Send a problem document unless an answer is in progress, and close the connection."""
        if self.is_idle and not self.transport.is_closing():
            self.transport.write(_refusal(status, code, detail))
        self._close()

    def _close(self) -> None:
        """Close once the client has read its answer, or stops reading it."""
        self.transport.close()
        self._watch_reader()

    def _watch_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > unread - _READ_BYTES:
                self.transport.abort()
            else:
                self._watch_reader()

        self._after("unread", self.limits.unread_seconds, look)

    def _make_room(self) -> None:
        if len(self.connections) <= self.limits.connections:
            return
        others = (other for other in self.connections if isinstance(other, GuardedConnection))
        idle = [other for other in others if other is not self and other.is_idle]
        if idle:
            min(idle, key=lambda other: other.idle_since).transport.abort()

    def _after(self, name: str, seconds: float, call: Callable[[], object]) -> None:
        self._stop(name)

        def run() -> None:
            self._timers.pop(name, None)
            call()

        self._timers[name] = self.loop.call_later(seconds, run)

    def _stop(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()


def _refusal(status: int, code: str, detail: str) -> bytes:
    """Return a complete answer with a problem document."""
    line = STATUS_LINE[status]
    request_id = uuid4().hex
    title = line.split(b" ", 2)[2].strip().decode()
    problem = Problem(title=title, status=status, detail=detail, code=code, request_id=request_id)
    body = problem.model_dump_json().encode()
    head = (
        f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
    )
    return line + head.encode() + body
