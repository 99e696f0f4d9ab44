"""Work that repeats while the service runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bento_service.errors import CatalogueUnavailable, StorageFull

_log = logging.getLogger(__name__)
_TRANSIENT = (CatalogueUnavailable, StorageFull, OSError)


@asynccontextmanager
async def periodic(act: Callable[[], None], *, seconds: float, what: str) -> AsyncIterator[None]:
    """Call a function in a thread, now and periodically, until the context ends.

    Args:
        act: The function; it is called again after a transient failure.
        seconds: Between the end of a call and the next.
        what: Names the work in the log.
    """

    async def run() -> None:
        while True:
            try:
                await asyncio.to_thread(act)
            except _TRANSIENT as error:
                _log.warning("%s is put off: %s", what, error)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
