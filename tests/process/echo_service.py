"""Two small BentoML services with the real options; the embedder waits and tells batch sizes."""

import os
import time
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import DType, Shape
from fastapi import FastAPI
from numpy.typing import NDArray

from bento_service.descriptors.describing import patient
from bento_service.serving.batching import EMBEDDER_OPTIONS, batching_options, limit_waiting

WORK_SECONDS = float(os.environ["ECHO_WORK_SECONDS"])
app = FastAPI()


@bentoml.service(name="echo-embedder", **EMBEDDER_OPTIONS)
class EchoEmbedder:
    def __init__(self) -> None:
        if "ECHO_UNLIMITED" not in os.environ:
            limit_waiting()

    @bentoml.api(**batching_options(8))
    def embed(
        self, images: Annotated[NDArray[np.uint8], DType("uint8"), Shape((-1, 224, 224, 3))]
    ) -> NDArray[np.float32]:
        time.sleep(WORK_SECONDS)
        means = images.reshape(len(images), -1).mean(axis=1)
        return np.stack([means, np.full_like(means, len(images))], axis=1).astype(np.float32)


@app.get("/describe/{value}")
async def describe(value: int) -> list[float]:
    service = bentoml.get_current_service()

    async def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return await service.embedder.to_async.embed(images=images)

    image = np.full((1, 224, 224, 3), value, np.uint8)
    given = await patient(embed, {"mean": 1, "size": 1})(image)
    return [float(rows.item()) for rows in given.values()]


@bentoml.service(name="echo", workers=1, metrics={"enabled": False})
@bentoml.asgi_app(app, path="/")
class Echo:
    embedder = bentoml.depends(EchoEmbedder)
