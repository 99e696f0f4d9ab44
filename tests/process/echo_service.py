"""Two small BentoML services with the real options.

The embedder waits, and tells of each picture its mean, how many were computed with it, and in which
run that was.
"""

import os
import time
from contextlib import asynccontextmanager
from itertools import count
from types import SimpleNamespace

import bentoml
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray

from bento_service.descriptors.describing import INGEST_ROUTE, QUERY_ROUTE, retrying
from bento_service.descriptors.engine_queue import EngineQueue
from bento_service.descriptors.version import Weights
from bento_service.serving.array_serde import exchange_only_arrays
from bento_service.serving.batching import EMBEDDER_OPTIONS, batching_options, limit_waiting
from bento_service.serving.embedder_entrance import EmbedderEntrance
from bento_service.serving.remote_embedder import RemoteEmbedder
from model_build.recipes import descriptor_version

WORK_SECONDS = float(os.environ.get("ECHO_WORK_SECONDS", "0"))
VERSION = descriptor_version("vgg16-mac", Weights(digest="0" * 64, source="none"))
VERSIONS = (VERSION.model_copy(update={"dimension": 3}),)
open_embedder = SimpleNamespace(describe=None, describe_ingest=None)
if "ECHO_UNPICKLES" not in os.environ:
    exchange_only_arrays()


@asynccontextmanager
async def lifespan(app):
    url = bentoml.get_current_service().embedder.to_async.url
    async with RemoteEmbedder(url, VERSIONS, answer_seconds=600) as embedder:
        open_embedder.describe = retrying(embedder.describe_query, {"all": 3})
        open_embedder.describe_ingest = embedder.describe_ingest
        yield


app = FastAPI(lifespan=lifespan)


@bentoml.service(name="echo-embedder", **EMBEDDER_OPTIONS)
class EchoEmbedder:
    def __init__(self) -> None:
        if "ECHO_UNLIMITED" not in os.environ:
            limit_waiting()
        self._runs = count()
        self._engine = EngineQueue(self.computed, query_run=8, ingest_run=2)

    def computed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(WORK_SECONDS)
        means = images.reshape(len(images), -1).mean(axis=1)
        sizes, runs = (np.full_like(means, one) for one in (len(images), next(self._runs)))
        return np.stack([means, sizes, runs], axis=1).astype(np.float32)

    @bentoml.api(route=QUERY_ROUTE, **batching_options(8))
    async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return await self._engine.describe_query(images)

    @bentoml.api(route=INGEST_ROUTE)
    async def describe_ingest(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return await self._engine.describe_ingest(images)

    @bentoml.on_shutdown
    def close(self) -> None:
        self._engine.close()


if "ECHO_UNPICKLES" not in os.environ:
    EchoEmbedder.add_asgi_middleware(
        EmbedderEntrance, routes=(QUERY_ROUTE, INGEST_ROUTE), versions=lambda: VERSIONS
    )


@app.get("/describe/{value}")
async def describe(value: int) -> list[float]:
    image = np.full((1, 224, 224, 3), value, np.uint8)
    (rows,) = (await open_embedder.describe(image)).values()
    return [float(one) for one in rows[0]]


@app.get("/ingest/{pictures}")
async def ingest(pictures: int) -> list[list[float]]:
    images = np.zeros((pictures, 224, 224, 3), np.uint8)
    return (await open_embedder.describe_ingest(images)).tolist()


@bentoml.service(name="echo", workers=1, metrics={"enabled": False})
@bentoml.asgi_app(app, path="/")
class Echo:
    embedder = bentoml.depends(EchoEmbedder)
