"""The surface as the settings want it, behind BentoML or alone in a process."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bento_service.api.app import http_surface
from bento_service.api.auth.access import AccessRules
from bento_service.api.auth.tokens import Tokens
from bento_service.api.middleware.entrance import PROBES
from bento_service.api.middleware.limits import HttpLimits
from bento_service.application import Application
from bento_service.errors import NotReady
from bento_service.settings import Settings

Opening = Callable[[], AbstractAsyncContextManager[Application]]


def configured_surface(opening: Opening, settings: Settings) -> FastAPI:
    """The surface around an application, with the limits and the access rules of its settings.

    Args:
        opening: Opens the application when the server starts, and closes it at the end.
        settings: What the operator says.

    Raises:
        TokensError: See `Tokens`.
    """
    access = AccessRules(
        tokens=Tokens(settings.tokens, settings.tokens_file),
        allow_anonymous=settings.allow_anonymous,
        trusted_proxies=settings.trusted_proxies,
        origins=settings.cors_origins,
        requests_per_second=settings.requests_per_second,
    )
    limits = HttpLimits(
        max_request_bytes=settings.max_request_bytes,
        max_json_bytes=settings.max_json_bytes,
        in_flight=settings.requests_in_flight,
        streams=settings.event_streams,
        body_seconds=settings.body_seconds,
        request_seconds=settings.request_seconds,
    )
    return http_surface(opening, limits=limits, access=access)


def surface_alone(opening: Opening, settings: Settings) -> FastAPI:
    """The surface without BentoML, which otherwise answers the probes."""
    surface = configured_surface(opening, settings)
    alive, ready = PROBES
    surface.router.routes[:0] = [Route(alive, _alive), Route(ready, _ready)]
    return surface


async def _alive(request: Request) -> Response:
    application: Application = request.app.state.application
    return _probed(application.is_alive)


async def _ready(request: Request) -> Response:
    application: Application = request.app.state.application
    return _probed(await run_sync(lambda: application.is_ready))


def _probed(is_so: bool) -> Response:  # noqa: FBT001 - what was found
    if not is_so:
        raise NotReady("not now; the service's log says more")
    return PlainTextResponse("\n")
