"""Patches of what BentoML 1.4.39 adds to every request of each service: a span and a timer.

It makes a span even if no exporter is configured, which takes a third of the processor time of its
layers. It never cancels the timer of `traffic.timeout`, so for ten minutes each answered request
keeps 5 KB. The patched names are private; tests fail when they change.
"""

import asyncio
from typing import Any

from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from opentelemetry.util.http import ExcludeList
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

_EVERY_URL = ".*"


def cancel_timers() -> None:
    """Make BentoML cancel the timer of a request once its answer begins."""
    setattr(TimeoutMiddleware, "__call__", _serve)


def skip_unread_spans() -> None:
    """Make BentoML create no spans, unless its configuration names an exporter for them."""
    configured = BentoMLContainer.config.get()
    services = configured.get("services", {})  # absent before a service is declared
    sections = (configured, services, *services.values())  # of all services, or of one
    if not any(_has_exporter(each) for each in sections if isinstance(each, dict)):
        BentoMLContainer.tracing_excluded_urls.set(ExcludeList([_EVERY_URL]))


def _has_exporter(section: dict[str, Any]) -> bool:
    return bool(section.get("tracing", {}).get("exporter_type"))


async def _serve(middleware: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request, with a limit on the time until its answer begins."""
    if scope["type"] != "http":
        await middleware.app(scope, receive, send)
        return
    limit = asyncio.timeout(middleware.timeout)

    async def send_in_time(message: Message) -> None:
        if not limit.expired():  # otherwise the time-out is the answer
            limit.reschedule(None)
            await send(message)

    try:
        async with limit:
            await middleware.app(scope, receive, send_in_time)
    except TimeoutError:
        if not limit.expired():
            raise
        error = {"error": f"there was no answer within {middleware.timeout:g} s"}
        await JSONResponse(error, 504)(scope, receive, send)
