"""Periodic cleanup: expired scratch collections, uploads that failed, and old idempotency keys."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bento_service.catalogue import Catalogue

EXPIRY_SECONDS = 5.0
"""Seconds between two looks for expired scratch collections."""
CLEANUP_SECONDS = 600.0
"""Seconds between two cleanups of uploads and keys."""
_START = timedelta(hours=1)
_log = logging.getLogger(__name__)


def delete_expired(catalogue: Catalogue, on_deleted: Callable[[set[str]], None]) -> None:
    """Delete expired scratch collections.

    Args:
        catalogue: That has the collections.
        on_deleted: Called with the digests of uploads whose last image may be gone.
    """
    for name, uploads in catalogue.collections.delete_expired(datetime.now(UTC)).items():
        _log.info("scratch collection %s has expired and is deleted", name)
        on_deleted(uploads)


class Cleanup:
    """Discards uploads and idempotency keys that were kept long enough.

    Args:
        retriable_since: Returns the time since which ended jobs keep their failed uploads.
        discard: Removes those of some uploads that nothing needs.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        retriable_since: Callable[[], datetime],
        discard: Callable[[set[str]], None],
    ) -> None:
        self._catalogue = catalogue
        self._retriable_since = retriable_since
        self._discard = discard
        # The start of the service checks all stored uploads, and with them earlier jobs.
        self._done_until = retriable_since() - _START

    def run(self) -> None:
        """Discard what was kept long enough."""
        self._catalogue.idempotency_keys.remove_expired()
        until = self._retriable_since()
        self._discard(self._catalogue.upload_references.left_between(self._done_until, until))
        self._done_until = until
