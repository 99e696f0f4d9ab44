"""Concurrent calls: in threads for `Client`, as tasks for `AsyncClient`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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
