"""Periodic cleanup: expired scratch collections, uploads that failed, and old idempotency keys."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bento_service.catalogue import Catalogue
from bento_service.storage.uploads import Uploads

EXPIRY_SECONDS = 5.0
"""Seconds between two looks for expired scratch collections."""
CLEANUP_SECONDS = 600.0
"""Seconds between two cleanups of uploads and keys."""
_ALL_SECONDS = 24 * 3600
_log = logging.getLogger(__name__)


def delete_expired(catalogue: Catalogue, on_deleted: Callable[[set[str]], None]) -> None:
    """Delete expired scratch collections; report the digests of uploads that they used."""
    for name, uploads in catalogue.collections.delete_expired(datetime.now(UTC)).items():
        _log.info("scratch collection %s has expired and is deleted", name)
        on_deleted(uploads)


class Cleanup:
    """Discards uploads and idempotency keys that were kept long enough.

    The first run and then one a day look at all stored uploads, the others at those that expired.
    Jobs that ended after `retriable_since()` keep their failed uploads.
    """

    def __init__(
        self, catalogue: Catalogue, uploads: Uploads, *, retriable_since: Callable[[], datetime]
    ) -> None:
        self._catalogue = catalogue
        self._uploads = uploads
        self._retriable_since = retriable_since
        self._done_until = retriable_since()
        self._all_at = time.monotonic()

    def run(self) -> None:
        """Discard what was kept long enough."""
        self._catalogue.idempotency_keys.remove_expired()
        until = self._retriable_since()
        if time.monotonic() >= self._all_at:
            self._uploads.discard_all_unneeded()
            self._all_at = time.monotonic() + _ALL_SECONDS
        else:
            references = self._catalogue.upload_references
            self._uploads.discard(references.left_between(self._done_until, until))
        self._done_until = until
