"""Concurrent calls: in threads for `Client`, as tasks for `AsyncClient`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from client_sdk._calls.listing import ROWS, THUMBNAIL, data_url
from client_sdk.errors import LookalikeError

T = TypeVar("T")
ItemT = TypeVar("ItemT")


def each(function: Callable[[ItemT], T], items: Iterable[ItemT], most: int) -> list[T]:
    """Call a function for each item, at most `most` at once; an error cancels the waiting calls."""
    with ThreadPoolExecutor(most) as pool:
        running = [pool.submit(function, item) for item in items]
        try:
            return [one.result() for one in running]
        finally:
            pool.shutdown(cancel_futures=True)


async def async_each(
    function: Callable[[ItemT], Awaitable[T]], items: Iterable[ItemT], most: int
) -> list[T]:
    """Await a function for each item, at most `most` at once; an error cancels the other calls."""
    free = asyncio.Semaphore(most)

    async def bounded(item: ItemT) -> T:
        async with free:
            return await function(item)

    running = [asyncio.ensure_future(bounded(item)) for item in items]
    try:
        return [await one for one in running]
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def thumbnail_urls(images: Sequence[Any], _: object) -> dict[int, str]:
    """Return the thumbnails of images as `data:` URLs, by id."""

    def one(image: Any) -> str:
        try:
            return data_url(image.thumbnail(size=THUMBNAIL))
        except LookalikeError:
            return ""

    shown = images[:ROWS]
    return dict(zip([image.image_id for image in shown], each(one, shown, 8), strict=True))


def async_thumbnail_urls(images: Sequence[Any], connection: Any) -> dict[int, str]:
    """Return the URLs of thumbnails at the service, by id; the event loop cannot wait for them."""
    if connection is None or connection.settings.folder is not None:
        return {}
    return {image.image_id: connection.settings.base_url + image.thumbnail_url for image in images}
