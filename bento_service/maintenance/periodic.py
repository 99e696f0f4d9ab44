"""Work that repeats while the service runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from bento_service.errors import NotReady, StorageFull

LOOK_SECONDS = 0.5
_log = logging.getLogger(__name__)
_TRANSIENT = (NotReady, StorageFull, OSError)


@asynccontextmanager
async def periodic(
    act: Callable[[], None],
    *,
    seconds: float,
    what: str,
    is_owner: Callable[[], bool] = lambda: True,
) -> AsyncIterator[None]:
    """Call a function in a thread, now and periodically, until the context ends.

    There are `seconds` between the end of a call and the next, also after a transient failure;
    `what` names the work in the log. A replica does the work while `is_owner` returns true.
    """

    async def run() -> None:
        while True:
            try:
                if is_owner():
                    await asyncio.to_thread(act)
            except _TRANSIENT as error:
                _log.warning("%s is put off: %s", what, error)
            await asyncio.sleep(seconds)

    async with _running(run):
        yield


@asynccontextmanager
async def while_owner(
    make: Callable[[], AbstractAsyncContextManager[object]],
    is_owner: Callable[[], bool],
    *,
    look_seconds: float = LOOK_SECONDS,
) -> AsyncIterator[None]:
    """Enter a context whenever this replica becomes the owner, and leave it when it is not."""

    async def run() -> None:
        is_entered = False
        async with AsyncExitStack() as stack:
            while True:
                owns = is_owner()
                if owns and not is_entered:
                    await stack.enter_async_context(make())
                elif is_entered and not owns:
                    await stack.aclose()
                is_entered = owns
                await asyncio.sleep(look_seconds)

    async with _running(run):
        yield


@asynccontextmanager
async def _running(run: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
