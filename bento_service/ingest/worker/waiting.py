"""Waiting out what passes: a full disk, a lost database."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from bento_service.errors import CatalogueUnavailable, NotReady, Overloaded, StorageFull

Result = TypeVar("Result")

CATALOGUE_TROUBLE = (StorageFull, CatalogueUnavailable)
_DECODER_TROUBLE = (NotReady, Overloaded)
_RETRY_SECONDS = 2.0
_log = logging.getLogger(__name__)


async def patiently(
    act: Callable[..., Result], *arguments: object, executor: Executor | None = None
) -> Result:
    """Call in a thread, again and again while the catalogue or the decoders are in trouble.

    Args:
        act: Can be repeated.
        arguments: Given to it.
        executor: Whose thread; the event loop's own if none is given.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            return await loop.run_in_executor(executor, act, *arguments)
        except CATALOGUE_TROUBLE as error:
            await wait_for("the catalogue", error)
        except _DECODER_TROUBLE as error:
            await wait_for("a decoder", error)


async def wait_for(what: str, error: Exception) -> None:
    """Wait a while for somebody to be back, and say why."""
    _log.error("ingest waits for %s: %s", what, error)
    await asyncio.sleep(_RETRY_SECONDS)
