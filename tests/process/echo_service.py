"""Two small BentoML services with the real options; the embedder waits and tells batch sizes."""

import os
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import bentoml
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray

from bento_service.array_serde import exchange_only_arrays
from bento_service.batching import EMBEDDER_OPTIONS, batching_options, limit_waiting
from bento_service.describing import patient
from bento_service.embedder_entrance import EmbedderEntrance
from bento_service.remote import QUERY_ROUTE, RemoteEmbedder
from bento_service.vision.descriptor_version import Weights
from bento_service.vision.recipes import descriptor_version

WORK_SECONDS = 0.05
VERSION = descriptor_version("vgg16-mac", Weights(digest="0" * 64, source="none"))
VERSIONS = (VERSION.model_copy(update={"dimension": 2}),)
open_embedder = SimpleNamespace(describe=None)
if "ECHO_UNPICKLES" not in os.environ:
    exchange_only_arrays()


@asynccontextmanager
async def lifespan(app):
    url = bentoml.get_current_service().embedder.to_async.url
    async with RemoteEmbedder(url, VERSIONS, answer_seconds=600) as embedder:
        open_embedder.describe = patient(embedder.describe_query, {"both": 2})
        yield


app = FastAPI(lifespan=lifespan)


@bentoml.service(name="echo-embedder", **EMBEDDER_OPTIONS)
class EchoEmbedder:
    def __init__(self) -> None:
        if "ECHO_UNLIMITED" not in os.environ:
            limit_waiting()

    @bentoml.api(route=QUERY_ROUTE, **batching_options(8))
    def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(WORK_SECONDS)
        means = images.reshape(len(images), -1).mean(axis=1)
        return np.stack([means, np.full_like(means, len(images))], axis=1).astype(np.float32)


if "ECHO_UNPICKLES" not in os.environ:
    EchoEmbedder.add_asgi_middleware(
        EmbedderEntrance, routes=(QUERY_ROUTE,), versions=lambda: VERSIONS
    )


@app.get("/describe/{value}")
async def describe(value: int) -> list[float]:
    image = np.full((1, 224, 224, 3), value, np.uint8)
    (rows,) = (await open_embedder.describe(image)).values()
    return [float(one) for one in rows[0]]


@bentoml.service(name="echo", workers=1, metrics={"enabled": False})
@bentoml.asgi_app(app, path="/")
class Echo:
    embedder = bentoml.depends(EchoEmbedder)
