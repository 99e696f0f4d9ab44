"""Gives back what was kept for a while: uploads that failed, and the keys of repeated calls."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy.exc import OperationalError

from bento_service.catalogue import Catalogue
from bento_service.errors import StorageFull

_EVERY_SECONDS = 600.0
_START = timedelta(hours=1)
_log = logging.getLogger(__name__)


class Housekeeping:
    """Looks every ten minutes until it is stopped. Start it with `async with`."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        retriable_since: Callable[[], datetime],
        discard: Callable[[set[str]], None],
    ) -> None:
        """Prepare.

        Args:
            catalogue: Where jobs and keys are.
            retriable_since: Uploads that failed in jobs which ended earlier are not kept.
            discard: Removes those of some uploads that nobody needs.
        """
        self._catalogue = catalogue
        self._retriable_since = retriable_since
        self._discard = discard
        # What ended long before is looked at when the service starts, with all that is stored.
        self._looked_until = retriable_since() - _START
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> None:
        """Give back what was kept long enough."""
        self._catalogue.claims.remove_old()
        until = self._retriable_since()
        self._discard(self._catalogue.upload_needs.left_between(self._looked_until, until))
        self._looked_until = until

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await asyncio.to_thread(self.look)
            except (OperationalError, StorageFull, OSError) as error:
                _log.warning("housekeeping is put off: %s", error)
