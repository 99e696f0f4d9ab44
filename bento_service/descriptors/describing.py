"""Requests for descriptors: calls to the embedder, retried after lost connections."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import NotReady

Descriptors = Mapping[str, NDArray[np.float32]]
"""(N, D) float32 of unit length for each space, by the fingerprint of the space."""
Describe = Callable[[NDArray[np.uint8]], Awaitable[Descriptors]]
"""A function from images (N, S, S, 3) uint8 to their descriptors in every computed space."""
Embed = Callable[[NDArray[np.uint8]], Awaitable[NDArray[np.float32]]]
"""The same with (N, sum of all D) float32: the descriptors of all spaces, concatenated."""

MAX_ROWS = 64
"""Most images of one call to the embedder."""
QUERY_ROUTE, INGEST_ROUTE = "/describe_query", "/describe_ingest"
"""The embedder's routes for images of waiting callers and for images of jobs."""
DESCRIPTORS_HEADER = "descriptors"
"""The response header in which the embedder sends the `identity` of its descriptors."""

_log = logging.getLogger(__name__)
PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The seconds before each attempt to reach the embedder."""


class Embedder(Protocol):
    """A describer of images for waiting callers and for jobs; up to `MAX_ROWS` in one call."""

    async def describe_query(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images of a waiting caller; see `Embed`."""

    async def describe_ingest(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe images of a job, after those of waiting callers; see `Embed`."""


def retrying(
    embed: Embed, dimensions: Mapping[str, int], *, pauses: Sequence[float] = PAUSES
) -> Describe:
    """Return a function that retries `embed` after lost connections and splits its result by space.

    The embedder closes idle connections, possibly while a call is being sent, and a crashed
    embedder restarts within seconds. Describing changes nothing, so a retry is safe.

    Args:
        embed: Sends one request; raises `ConnectionError` if the connection is lost.
        dimensions: The dimension of each space by its fingerprint, in the order of the result.
        pauses: The seconds before each attempt.

    Raises:
        NotReady: The returned function got no answer after several retries.
    """
    ends = np.cumsum(list(dimensions.values()))[:-1]

    async def describe(images: NDArray[np.uint8]) -> Descriptors:
        for pause in pauses:
            await asyncio.sleep(pause)
            try:
                joined = await embed(images)
                return dict(zip(dimensions, np.split(joined, ends, axis=1), strict=True))
            except ConnectionError as error:
                _log.info("the embedder's connection was lost (%s); asking again", error)
        raise NotReady("the embedder does not answer; try again in some seconds")

    return describe
