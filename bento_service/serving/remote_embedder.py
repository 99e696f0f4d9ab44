"""The embedder in the other process, as everything else here sees it."""

from collections.abc import Awaitable, Callable

import aiohttp
import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.describing import Embed


def embedder(call: Callable[..., Awaitable[object]]) -> Embed:
    """A BentoML service's method as one that describes.

    Args:
        call: Takes `images`; BentoML sends them with aiohttp.
    """

    async def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            return np.asarray(await call(images=images), dtype=np.float32)
        except aiohttp.ClientConnectionError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    return embed
