"""Retries after temporary failures, such as a full disk or a lost database."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from bento_service.errors import (
    CatalogueUnavailable,
    NotReady,
    Overloaded,
    StorageFull,
    StorageUnavailable,
)

Result = TypeVar("Result")

CATALOGUE_TROUBLE = (StorageFull, CatalogueUnavailable)
_DECODER_TROUBLE = (NotReady, Overloaded)
_RETRY_SECONDS = 2.0
_log = logging.getLogger(__name__)


async def retry_until_available(
    act: Callable[..., Result], *arguments: object, executor: Executor | None = None
) -> Result:
    """Call a function in a thread, and retry while something that it needs is unavailable.

    The function must be repeatable; the threads are by default those of the event loop.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            return await loop.run_in_executor(executor, act, *arguments)
        except CATALOGUE_TROUBLE as error:
            await wait_for("the catalogue", error)
        except StorageUnavailable as error:
            await wait_for("the object storage", error)
        except _DECODER_TROUBLE as error:
            await wait_for("a decoder", error)


async def wait_for(what: str, error: Exception) -> None:
    """Log the failure of a dependency, and wait before the next attempt."""
    _log.error("ingest waits for %s: %s", what, error)
    await asyncio.sleep(_RETRY_SECONDS)
