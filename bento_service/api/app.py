"""The HTTP surface: routes, error handling and limits as one app."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from bento_service.api import wire
from bento_service.api.auth import session
from bento_service.api.auth.access import READ, Access, AccessRules, undeclared_needs_admin
from bento_service.api.auth.tokens import Tokens
from bento_service.api.http import problems
from bento_service.api.http.forwarded import Forwarding
from bento_service.api.job_feed import Feed
from bento_service.api.metrics import Metrics
from bento_service.api.middleware.entrance import PROBES, OnlyProblems
from bento_service.api.middleware.limits import HttpLimits, InFlight, TimeLimit
from bento_service.api.middleware.request_id import BodyLimit, RequestId
from bento_service.api.openapi import with_failures
from bento_service.api.routes import (
    collections,
    compare,
    images,
    jobs,
    reindex,
    search,
    train,
    v1,
)
from bento_service.api.shutdown import on_shutdown
from bento_service.application import Application
from bento_service.errors import NotReady
from bento_service.settings import Settings
from client_sdk import __version__

_WEB = Path(__file__).parent.parent / "web"
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


Opening = Callable[[], AbstractAsyncContextManager[Application]]
"""Opens the application when the server starts, and closes it at the end."""


def configured_surface(opening: Opening, settings: Settings) -> FastAPI:
    """Return the surface with the limits and access rules of the settings.

    Args:
        opening: Opens the application.
        settings: The operator's settings.

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
    """Return the surface with probes of its own, for use without BentoML, which adds them."""
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


def _probed(is_so: bool) -> Response:  # noqa: FBT001 - the probe's result
    if not is_so:
        raise NotReady("not now; the service's log says more")
    return PlainTextResponse("\n")


def http_surface(
    opening: Opening,
    *,
    limits: HttpLimits,
    access: AccessRules,
) -> FastAPI:
    """Return the surface around an application.

    Args:
        opening: Opens the application.
        limits: Sizes, rates and times.
        access: The rules of access.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            opening() as application,
            Feed(application.catalogue.jobs.among, partial(wire.job, application)) as feed,
        ):
            app.state.feed = feed
            app.state.application = application
            # The server waits for open answers before it shuts down, and event streams never end.
            with on_shutdown(feed.close):
                yield
            app.state.application = None

    app = FastAPI(
        title="Lookalike",
        version=__version__,
        summary="Finds the pictures that look like yours.",
        lifespan=lifespan,
        dependencies=[Depends(undeclared_needs_admin)],
        docs_url=None,  # FastAPI's pages load scripts from other hosts
        redoc_url=None,
    )
    problems.install(app)
    described = app.openapi
    app.openapi = lambda: with_failures(described())  # type: ignore[method-assign]
    metrics = Metrics()
    app.state.tokens = access.tokens
    app.state.streams = limits.streams
    _limit(app, limits)
    app.add_middleware(Access, rules=access)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=access.origins,
        allow_methods=("GET", "POST", "PATCH", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"),
        expose_headers=("Location", "Retry-After", "X-Request-ID"),
    )
    app.add_middleware(OnlyProblems)
    app.add_middleware(RequestId)
    app.add_middleware(metrics.observing)
    app.add_middleware(Forwarding, trusted=access.trusted_proxies)
    for topic in (session, search, train, images, collections, compare, jobs, reindex, v1):
        app.include_router(topic.router)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def page() -> Response:
        return FileResponse(_WEB / "index.html", headers=_PAGE_HEADERS)

    @app.get("/metrics", include_in_schema=False, dependencies=[READ])
    def metrics_page() -> Response:
        return metrics.page(getattr(app.state, "application", None))

    app.mount("/static", _Modules(directory=_WEB), name="static")
    return app


def _limit(app: FastAPI, limits: HttpLimits) -> None:
    app.add_middleware(
        BodyLimit, max_bytes=limits.max_request_bytes, max_json_bytes=limits.max_json_bytes
    )
    app.add_middleware(InFlight, most=limits.in_flight)
    app.add_middleware(
        TimeLimit, body_seconds=limits.body_seconds, request_seconds=limits.request_seconds
    )


class _Modules(StaticFiles):
    """The page's files; browsers revalidate them, so that an upgrade never mixes two versions."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return one file."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
