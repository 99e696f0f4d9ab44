"""The HTTP surface: routes, error handling and limits as one app."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from anyio.to_thread import run_sync
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bento_service.api import wire
from bento_service.api.auth import session
from bento_service.api.auth.access import READ, Access, undeclared_needs_admin
from bento_service.api.auth.tokens import Tokens
from bento_service.api.http import problems
from bento_service.api.job_feed import Feed
from bento_service.api.metrics import Metrics, MoreMetrics
from bento_service.api.middleware.compression import Compression
from bento_service.api.middleware.draining import DrainMiddleware
from bento_service.api.middleware.entrance import PROBES, AnswerMiddleware
from bento_service.api.middleware.limits import RequestLimits
from bento_service.api.openapi import FAILURES, with_problem
from bento_service.api.page_files import page_routes
from bento_service.api.routes import (
    collections,
    compare,
    images,
    jobs,
    reindex,
    roots,
    search,
    train,
    v1,
)
from bento_service.api.shutdown import on_shutdown
from bento_service.application import Application
from bento_service.errors import NotReady
from bento_service.settings import Settings
from client_sdk import __version__

Opening = Callable[[], AbstractAsyncContextManager[Application]]
"""Opens the application when the server starts, and closes it at the end."""


def http_surface(
    opening: Opening, settings: Settings, embedder_metrics: MoreMetrics | None = None
) -> FastAPI:
    """Return the surface with the limits and access rules of the settings.

    Raises:
        TokensError: See `Tokens`.
    """
    app = FastAPI(
        title="Lookalike",
        version=__version__,
        summary="Finds the pictures that look like yours.",
        lifespan=partial(_lifespan, opening),
        dependencies=[Depends(undeclared_needs_admin)],
        responses=FAILURES,
        docs_url=None,  # FastAPI's pages load scripts from other hosts
        redoc_url=None,
    )
    problems.install(app)
    described = app.openapi
    app.openapi = lambda: with_problem(described())  # type: ignore[method-assign]
    app.state.application = None
    app.state.metrics = Metrics(embedder_metrics)
    app.state.tokens = Tokens(settings.tokens, settings.tokens_file)
    app.state.streams = settings.event_streams
    _add_middleware(app, settings)
    for topic in (session, search, train, images, roots, collections, compare, jobs, reindex, v1):
        app.include_router(topic.router)
    app.add_api_route("/metrics", _metrics_page, include_in_schema=False, dependencies=[READ])
    app.router.routes.extend(page_routes())
    return app


@asynccontextmanager
async def _lifespan(opening: Opening, app: FastAPI) -> AsyncIterator[None]:
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


async def _metrics_page(request: Request) -> Response:
    state = request.app.state
    page: Response = await state.metrics.page(state.application)
    return page


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the layers around the routes, the innermost first."""
    app.add_middleware(RequestLimits, settings=settings)
    app.add_middleware(Access, settings=settings, tokens=app.state.tokens)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST", "PATCH", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"),
        expose_headers=("Location", "Retry-After", "X-Request-ID"),
    )
    app.add_middleware(Compression)
    app.add_middleware(
        AnswerMiddleware, metrics=app.state.metrics, trusted=settings.trusted_proxies
    )
    app.add_middleware(DrainMiddleware)


def surface_alone(opening: Opening, settings: Settings) -> FastAPI:
    """Return the surface with probes of its own, for use without BentoML, which adds them."""
    surface = http_surface(opening, settings)
    alive, ready = PROBES
    surface.router.routes[:0] = [Route(alive, _alive), Route(ready, _ready)]
    return surface


async def _alive(request: Request) -> Response:
    application: Application = request.app.state.application
    return _probed(application.is_alive)


async def _ready(request: Request) -> Response:
    application: Application = request.app.state.application
    return _probed(await run_sync(lambda: application.is_ready))


def _probed(is_true: bool) -> Response:  # noqa: FBT001 - the probe's result
    if not is_true:
        raise NotReady("not now; see the service's log")
    return PlainTextResponse("\n")
