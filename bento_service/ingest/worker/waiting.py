"""Retries after temporary failures, such as a full disk or a lost database."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
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
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waits:
    """The waits of ingest for what is unavailable, and for jobs.

    Attributes:
        retry_seconds: Seconds between two attempts.
        look_seconds: Seconds after which a worker looks for jobs of other replicas.
    """

    retry_seconds: float = 2.0
    look_seconds: float = 2.0

    async def until_available(
        self, act: Callable[..., Result], *arguments: object, executor: Executor | None = None
    ) -> Result:
        """Call a function in a thread, and retry while something that it needs is unavailable.

        The function must be repeatable; the threads are by default those of the event loop.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(executor, act, *arguments)
            except CATALOGUE_TROUBLE as error:
                await self.before_retry("the catalogue", error)
            except StorageUnavailable as error:
                await self.before_retry("the object storage", error)
            except _DECODER_TROUBLE as error:
                await self.before_retry("a decoder", error)

    async def before_retry(self, what: str, error: Exception) -> None:
        """Log the failure of a dependency, and wait before the next attempt."""
        _log.error("ingest waits for %s: %s", what, error)
        await asyncio.sleep(self.retry_seconds)
