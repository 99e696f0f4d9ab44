"""How the service asks for descriptors: one call to the embedder, repeated where that is safe."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import NotReady

Descriptors = Mapping[str, NDArray[np.float32]]
"""By the fingerprints of their spaces, (N, D) float32 of unit length."""
Describe = Callable[[NDArray[np.uint8]], Awaitable[Descriptors]]
"""Images (N, S, S, 3) uint8 to their descriptors in every space that is computed."""
Embed = Callable[[NDArray[np.uint8]], Awaitable[NDArray[np.float32]]]
"""The same, (N, sum of all D) float32: the spaces' descriptors one after the other."""

MAX_ROWS = 64
"""Most images of one call to the embedder."""
QUERY_ROUTE, INGEST_ROUTE = "/describe_query", "/describe_ingest"
"""Where the embedder takes images of callers who wait, and of jobs."""
DESCRIPTORS_HEADER = "descriptors"
"""In every answer of the embedder: the `identity` of what it computes."""

_log = logging.getLogger(__name__)
_PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


class Embedder(Protocol):
    """Describes images for callers who wait and for jobs; up to `MAX_ROWS` in one call."""

    async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe the images of a caller who waits; see `Embed`."""
        ...

    async def describe_ingest(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images of a job, behind those of callers who wait; see `Embed`."""
        ...


def patient(embed: Embed, dimensions: Mapping[str, int]) -> Describe:
    """Asks the embedder, again after lost connections, and tells the spaces apart.

    The embedder closes idle connections, which can cross with a call, and a dead embedder is back
    within seconds. Describing changes nothing, so asking again is safe.

    Args:
        embed: Asks once; a lost connection is a `ConnectionError`.
        dimensions: Of the spaces that it gives, by fingerprint, in this order.

    Raises:
        NotReady: The embedder did not come back.
    """
    ends = np.cumsum(list(dimensions.values()))[:-1]

    async def describe(images: NDArray[np.uint8]) -> Descriptors:
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                joined = await embed(images)
                return dict(zip(dimensions, np.split(joined, ends, axis=1), strict=True))
            except ConnectionError as error:
                _log.info("the embedder's connection was lost (%s); asking again", error)
        raise NotReady("the embedder does not answer; try again in some seconds")

    return describe
