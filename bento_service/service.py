"""The two BentoML services: the embedder, and the image search that callers use."""

import asyncio
import logging
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import bentoml
import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from bento_service.api.auth.tokens import TokensError
from bento_service.descriptors.choice import choose
from bento_service.descriptors.describing import INGEST_ROUTE, QUERY_ROUTE
from bento_service.descriptors.hardware import Hardware
from bento_service.errors import Conflict
from bento_service.json_log import log_as_json
from bento_service.log_redaction import redact_log
from bento_service.serving.array_serde import exchange_only_arrays, name_answers
from bento_service.serving.batching import (
    EMBEDDER_OPTIONS,
    REQUEST_SECONDS,
    batching_options,
    limit_waiting,
)
from bento_service.serving.embedder_entrance import EmbedderEntrance
from bento_service.serving.process_environment import (
    SERVING,
    end_with_parent,
    release_freed_memory,
)
from bento_service.serving.request_overhead import cancel_timers, skip_unread_spans
from bento_service.serving.start_checks import check_start
from bento_service.settings import Settings, SettingsError
from bento_service.settings.service_links import service_links

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bento_service.application import Application
    from bento_service.serving.remote_embedder import RemoteEmbedder

_MODEL_TAG = (Path(__file__).parent / "model_tag.txt").read_text().strip()
_LONGER_SECONDS = 30
_RELEASE_SECONDS = 10.0
try:
    _SETTINGS = Settings.from_environment()
    _CHOICE = choose(_SETTINGS, Hardware.detect())
except SettingsError as error:
    sys.exit(f"lookalike: {error}")
if _SETTINGS.log_level != "debug":
    redact_log(_SETTINGS.folders)
if _SETTINGS.log_format == "json":
    log_as_json()  # its lines have the ids of spans
else:
    skip_unread_spans()
# These run in every process, since each imports this module.
exchange_only_arrays()
cancel_timers()
_ENVIRONMENT = [{"name": name, "value": value} for name, value in SERVING.items()]
# A log for people has no line for each request: a page of thumbnails would hide all others.
_LOGGING = {"access": {"enabled": _SETTINGS.log_format == "json"}}


@bentoml.service(name="vgg16-embedder", envs=_ENVIRONMENT, logging=_LOGGING, **EMBEDDER_OPTIONS)
class Vgg16Embedder:
    """The embedder: the saved VGG16, which describes images of several callers at once."""

    model = bentoml.models.BentoModel(_MODEL_TAG)

    def __init__(self) -> None:
        # Imported here, because only this process needs the runtime.
        from bento_service.descriptors.engine_queue import EngineQueue
        from bento_service.descriptors.model import Model

        limit_waiting()
        self.loaded = Model.load(Path(self.model.path), _CHOICE, threads=_SETTINGS.threads)
        self._engine = EngineQueue(
            self.loaded.describe, query_run=_CHOICE.max_batch, ingest_run=_CHOICE.ingest_run
        )

    @bentoml.api(route=QUERY_ROUTE, **batching_options(_CHOICE.max_batch))
    async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images (N, S, S, 3) uint8, RGB, as (N, sum of all D) float32; see `Model`."""
        return await self._engine.describe_query(images)

    @bentoml.api(route=INGEST_ROUTE)
    async def describe_ingest(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images of jobs, after those of callers; see `describe_query`."""
        return await self._engine.describe_ingest(images)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Stop the engine's thread."""
        self._engine.close()


name_answers(Vgg16Embedder)
# The decorator, which has no types, has replaced the class by a service.
cast("Any", Vgg16Embedder).add_asgi_middleware(
    EmbedderEntrance,
    routes=(QUERY_ROUTE, INGEST_ROUTE),
    versions=lambda: bentoml.get_current_service().loaded.versions,
)


@asynccontextmanager
async def _opening() -> "AsyncIterator[Application]":
    from bento_service.assembly.opening import opened
    from bento_service.descriptors.model import find_versions
    from bento_service.maintenance.periodic import periodic
    from bento_service.serving.remote_embedder import RemoteEmbedder

    service = bentoml.get_current_service()
    versions = find_versions(Path(service.model.path), _CHOICE)
    url = service.embedder.to_async.url
    async with (
        RemoteEmbedder(url, versions, answer_seconds=REQUEST_SECONDS) as embedder,
        opened(_SETTINGS, _MODEL_TAG, versions, _CHOICE, embedder) as application,
        periodic(release_freed_memory, seconds=_RELEASE_SECONDS, what="returning memory"),
    ):
        service.application, service.remote = application, embedder
        if _SETTINGS.log_level != "debug":
            redact_log(application.roots.folders)  # remembered roots too
        yield application
        service.application = None


@asynccontextmanager
async def _lifespan(entrance: Starlette) -> "AsyncIterator[None]":
    # Every process imports this module, but only one needs the HTTP surface.
    from bento_service.api.app import http_surface
    from bento_service.api.middleware.entrance import enter

    service = bentoml.get_current_service()

    async def embedder_metrics() -> bytes:
        return b"" if service.remote is None else await service.remote.metrics()

    surface = http_surface(_opening, _SETTINGS, embedder_metrics)
    async with surface.router.lifespan_context(surface):
        entrance.state.enter = partial(enter, surface)
        yield


_ENTRANCE = Starlette(lifespan=_lifespan)


class _Entrance:
    """Middleware in front of BentoML's routes, which would answer some requests differently."""

    def __init__(self, app: ASGIApp) -> None:
        self._bentoml = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; BentoML handles the lifespan."""
        if scope["type"] == "lifespan":
            await self._bentoml(scope, receive, send)
        else:
            await _ENTRANCE.state.enter(self._bentoml, scope, receive, send)


if "uvicorn" in sys.modules:  # true in each serving process
    from bento_service.serving.connections import guard_connections

    guard_connections(head_seconds=_SETTINGS.head_seconds)
    end_with_parent()


def _tls() -> dict[str, Any]:
    """Return BentoML's options for HTTPS; relative paths are resolved in the checkout."""
    certificate, key = _SETTINGS.tls_certificate, _SETTINGS.tls_key
    if certificate is None or key is None:
        return {"enabled": False}
    return {
        "enabled": True,
        "certfile": str(certificate.absolute()),
        "keyfile": str(key.absolute()),
    }


@bentoml.service(
    name="lookalike",
    envs=_ENVIRONMENT,
    logging=_LOGGING,
    workers=1,  # one process owns the Milvus Lite folder
    # BentoML labels requests by raw path; the surface exports its own metrics by route.
    metrics={"enabled": False},
    http={"host": _SETTINGS.host, "port": _SETTINGS.port},
    ssl=_tls(),
    # Longer than our own limit, so that ours answers with a problem document first.
    traffic={
        "timeout": _SETTINGS.request_seconds + _LONGER_SECONDS,
        "concurrency": _SETTINGS.requests_in_flight,
    },
    resources={"cpu": "2", "memory": "2Gi"},
)
@bentoml.asgi_app(_ENTRANCE, path="/")
class ImageSearch:
    """The image search over HTTP."""

    embedder = bentoml.depends(Vgg16Embedder)
    model = bentoml.models.BentoModel(_MODEL_TAG)
    application: "Application | None" = None
    remote: "RemoteEmbedder | None" = None

    @bentoml.on_deployment
    @staticmethod
    def check() -> None:
        """Check the start in BentoML's first process, which a failure ends."""
        try:
            check_start(_SETTINGS)
        except (SettingsError, TokensError, Conflict) as error:
            sys.exit(f"lookalike: {error}")
        if links := service_links():
            logging.getLogger(__name__).warning(
                "ignored the service links of Kubernetes: %s", ", ".join(links)
            )

    def __init__(self) -> None:
        # BentoML's root logger drops everything below WARNING.
        logging.getLogger("bento_service").setLevel(_SETTINGS.log_level.upper())

    async def __is_ready__(self) -> bool:
        """Return true if searches can be answered, for `/readyz`."""
        application, remote = self.application, self.remote
        if application is None or remote is None or not await remote.is_ready():
            return False
        return await asyncio.to_thread(lambda: application.is_ready)

    async def __is_alive__(self) -> bool:
        """Return true if ingest and replay run or have not begun yet, for `/livez`."""
        return self.application is None or self.application.is_alive


cast("Any", ImageSearch).add_asgi_middleware(_Entrance)
