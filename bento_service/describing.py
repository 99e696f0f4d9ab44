"""How the service asks for descriptors: one call to the embedder, repeated where that is safe."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import aiohttp
import numpy as np
from numpy.typing import NDArray

from bento_service.errors import NotReady

Describe = Callable[[NDArray[np.uint8]], Awaitable[NDArray[np.float32]]]
"""Images (N, S, S, 3) uint8 to descriptors (N, D) float32 of unit length."""

_log = logging.getLogger(__name__)
_PAUSES = (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


def patient(embed: Describe) -> Describe:
    """The same, repeated after lost connections.

    The embedder closes idle connections, which can cross with a call, and a dead embedder is back
    within seconds. Describing changes nothing, so asking again is safe.

    Raises:
        NotReady: The embedder did not come back.
    """

    async def describe(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            try:
                return await embed(images)
            except (aiohttp.ClientConnectionError, ConnectionError) as error:
                _log.info("the embedder's connection was lost (%s); asking again", error)
        raise NotReady("the embedder does not answer; try again in some seconds")

    return describe
