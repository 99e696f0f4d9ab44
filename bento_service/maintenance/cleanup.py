"""Gives back scratch collections, uploads that failed, and the keys of repeated calls."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bento_service.catalogue import Catalogue

EXPIRY_SECONDS = 5.0
"""Between two looks for scratch collections whose time has come."""
HOUSEKEEPING_SECONDS = 600.0
"""Between two looks for what was kept for a while."""
_START = timedelta(hours=1)
_log = logging.getLogger(__name__)


def delete_expired(catalogue: Catalogue, on_deleted: Callable[[set[str]], None]) -> None:
    """Delete the scratch collections whose time has come.

    Args:
        catalogue: Where the collections are.
        on_deleted: Told the digests of uploads whose last image may have gone.
    """
    for name, uploads in catalogue.collections.delete_expired(datetime.now(UTC)).items():
        _log.info("scratch collection %s was left alone long enough; it is deleted", name)
        on_deleted(uploads)


class Housekeeping:
    """Gives back what was kept for a while."""

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

    def look(self) -> None:
        """Give back what was kept long enough."""
        self._catalogue.claims.remove_old()
        until = self._retriable_since()
        self._discard(self._catalogue.upload_needs.left_between(self._looked_until, until))
        self._looked_until = until
