"""The whole HTTP surface as one app."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from bento_service.api import wire
from bento_service.api.auth import session
from bento_service.api.auth.access import Access, AccessRules, permitted
from bento_service.api.forwarded import Forwarding
from bento_service.api.http import problems
from bento_service.api.job_feed import Feed
from bento_service.api.metrics import Metrics
from bento_service.api.middleware.entrance import OnlyProblems
from bento_service.api.middleware.limits import HttpLimits, InFlight, TimeLimit
from bento_service.api.middleware.request_id import BodyLimit, RequestId
from bento_service.api.openapi import with_failures
from bento_service.api.routes import compare as comparing
from bento_service.api.routes import images as browse
from bento_service.api.routes import jobs, reindex, v1
from bento_service.api.routes import search as v2
from bento_service.api.shutdown import told_of_stop
from bento_service.application import Application
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


def http_surface(
    opening: Callable[[], AbstractAsyncContextManager[Application]],
    *,
    limits: HttpLimits,
    access: AccessRules,
) -> FastAPI:
    """Routes, error handling and limits around an application.

    Args:
        opening: Opens the application when the server starts, and closes it at the end.
        limits: How much is taken at once.
        access: Who may call.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            opening() as application,
            Feed(application.catalogue.jobs.among, partial(wire.job, application)) as feed,
        ):
            app.state.feed = feed
            app.state.application = application
            # The server waits for open answers before it closes anything; these would never end.
            with told_of_stop(feed.close):
                yield
            app.state.application = None

    app = FastAPI(
        title="Lookalike",
        version=__version__,
        summary="Finds the pictures that look like yours.",
        lifespan=lifespan,
        dependencies=[Depends(permitted)],
        docs_url=None,  # these pages would load their scripts from other hosts
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
    app.include_router(session.router)
    app.include_router(v2.router)
    app.include_router(comparing.router)
    app.include_router(browse.router)
    app.include_router(jobs.router)
    app.include_router(reindex.router)
    app.include_router(v1.router)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def page() -> Response:
        return FileResponse(_WEB / "index.html", headers=_PAGE_HEADERS)

    @app.get("/metrics", include_in_schema=False)
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
    """The page's files; asked for again each time, so that an upgrade never mixes two versions."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """One file."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
