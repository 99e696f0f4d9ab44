"""Benchmark of how queries of several callers share an engine, behind BentoML's real batching.

    python -m benchmarks.batching [--queries N]

The engine sleeps for the time that an int8 network with VNNI needs, so its result depends little on
other programs. Each caller sends a query, waits for the answer, and pauses for the time that the
rest of a search takes. One side computes up to eight queries in a run, one batch after another, as
BentoML does; the other side has the service's settings for a CPU. The ideal is an engine that never
waits. `ratio` divides the times of both sides.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from unittest import mock

import bentoml
import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.describing import QUERY_ROUTE
from bento_service.descriptors.engine_queue import EngineQueue
from bento_service.descriptors.version import Weights
from bento_service.serving import batching
from bento_service.serving.array_messages import array_body, array_headers
from bento_service.serving.array_serde import exchange_only_arrays, name_answers
from bento_service.serving.embedder_entrance import EmbedderEntrance
from bento_service.serving.request_overhead import cancel_timers, skip_unread_spans
from model_build.recipes import descriptor_version

PICTURE_SECONDS, PAUSE_SECONDS = 0.0173, 0.015
CALLERS = (1, 4, 8, 16)
_SIDE = 224
_WARM_UP = 20
_VERSION = descriptor_version("vgg16-mac", Weights(digest="0" * 64, source="none"))


@dataclass(frozen=True)
class Sizes:
    """The most queries of a batch, and the batches that are under way at once."""

    max_batch: int
    under_way: int


BENTOML = Sizes(max_batch=8, under_way=1)
OURS = Sizes(Choice("vgg16-rgem", "onnxruntime", "int8").max_batch, batching.BATCHES_IN_FLIGHT)


def _sleep(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    time.sleep(PICTURE_SECONDS * len(images))
    return np.zeros((len(images), _VERSION.dimension), np.float32)


def _embedder(max_batch: int) -> Any:
    """Return a service with the routes and options of the embedder, whose engine sleeps."""
    options = {**batching.EMBEDDER_OPTIONS, "metrics": {"enabled": False}}

    @bentoml.service(name="sleeping-embedder", **options)
    class SleepingEmbedder:
        def __init__(self) -> None:
            batching.limit_waiting()
            self._engine = EngineQueue(_sleep, query_run=max_batch, ingest_run=2)

        @bentoml.api(route=QUERY_ROUTE, **batching.batching_options(max_batch))
        async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return await self._engine.describe_query(images)

        @bentoml.on_shutdown
        def close(self) -> None:
            self._engine.close()

    service = cast("Any", SleepingEmbedder)
    name_answers(service)
    service.add_asgi_middleware(
        EmbedderEntrance, routes=(QUERY_ROUTE,), versions=lambda: (_VERSION,)
    )
    return service


async def _query(app: Any, images: NDArray[np.uint8]) -> None:
    """Send one query to an ASGI application.

    Raises:
        RuntimeError: It was not answered.
    """
    names = {name.encode(): value.encode() for name, value in array_headers(images).items()}
    body = bytes(array_body(images))
    statuses = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.append(message.get("status", 200))

    scope = {"type": "http", "method": "POST", "path": QUERY_ROUTE, "query_string": b""}
    scope |= {"headers": list(names.items()), "http_version": "1.1", "scheme": "http"}
    await app(scope | {"client": None, "server": None, "root_path": ""}, receive, send)
    if statuses[:1] != [200]:
        raise RuntimeError(f"the query was answered with {statuses[:1]}")


async def _seconds(sizes: Sizes, callers: int, queries: int) -> float:
    """Return the seconds for each query of several callers."""
    app = _embedder(sizes.max_batch).to_asgi()
    images = np.zeros((1, _SIDE, _SIDE, 3), np.uint8)

    async def caller() -> None:
        for _ in range(queries):
            await _query(app, images)
            await asyncio.sleep(PAUSE_SECONDS)

    async with app.router.lifespan_context(app):
        for _ in range(_WARM_UP):
            await _query(app, images)
        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return (time.perf_counter() - began) / (queries * callers)


@contextmanager
def _under_way(sizes: Sizes) -> Iterator[None]:
    with mock.patch.object(batching, "BATCHES_IN_FLIGHT", sizes.under_way):
        yield


def main() -> None:
    """Measure both sides in turns, and print the milliseconds of a query."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batching", description=__doc__)
    parser.add_argument("--queries", type=int, default=24, help="of each caller (24)")
    options = parser.parse_args()
    exchange_only_arrays()
    skip_unread_spans()
    cancel_timers()
    print(f"{'callers':<10}{'BentoML ms':>12}{'service ms':>12}{'ideal ms':>12}{'ratio':>8}")
    for callers in CALLERS:
        taken = []
        for sizes in (BENTOML, OURS):
            with _under_way(sizes):
                taken.append(1000 * asyncio.run(_seconds(sizes, callers, options.queries)))
        lone = PICTURE_SECONDS + PAUSE_SECONDS
        ideal = 1000 * max(PICTURE_SECONDS, lone / callers)
        print(
            f"{callers:<10}{taken[0]:>12.1f}{taken[1]:>12.1f}{ideal:>12.1f}"
            f"{taken[0] / taken[1]:>8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
