"""Something that is done again and again while the service runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.exc import OperationalError

from bento_service.errors import StorageFull

_log = logging.getLogger(__name__)
# A database that is away or a full disk: all of it passes.
_TROUBLE = (OperationalError, StorageFull, OSError)


@asynccontextmanager
async def repeating(act: Callable[[], None], *, seconds: float, what: str) -> AsyncIterator[None]:
    """Do it now and every so many seconds, in a thread, until the context ends.

    Args:
        act: May fail by what passes; it is done again all the same.
        seconds: Between the end of one time and the next.
        what: Named in the log when it fails.
    """

    async def run() -> None:
        while True:
            try:
                await asyncio.to_thread(act)
            except _TROUBLE as error:
                _log.warning("%s is put off: %s", what, error)
            await asyncio.sleep(seconds)

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
