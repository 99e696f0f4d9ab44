"""Deletes scratch collections when their time has come."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from sqlalchemy.exc import OperationalError

from bento_service.catalogue import Catalogue
from bento_service.errors import StorageFull

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0


class Expiry:
    """Looks every few seconds. Start it with `async with`."""

    def __init__(self, catalogue: Catalogue, *, on_deleted: Callable[[set[str]], None]) -> None:
        """Prepare.

        Args:
            catalogue: Where the collections are.
            on_deleted: Told, in a thread, the digests of uploads whose last image may have gone.
        """
        self._catalogue = catalogue
        self._on_deleted = on_deleted
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.delete_expired)
            except (StorageFull, OperationalError, OSError) as error:
                _log.warning("scratch collections are not deleted yet: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    def delete_expired(self) -> None:
        """Delete what has expired."""
        for name, uploads in self._catalogue.collections.delete_expired(datetime.now(UTC)).items():
            _log.info("scratch collection %s was left alone long enough; it is deleted", name)
            self._on_deleted(uploads)
