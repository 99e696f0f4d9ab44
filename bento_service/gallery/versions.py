"""The versions of Milvus servers that this service works with."""

import logging
import re

from bento_service.errors import IndexUnavailable

OLDEST = (2, 3)
"""The first version with `upsert`, without which no row can be replaced safely."""
NEWEST_MAJOR = 2

_log = logging.getLogger(__name__)


def check_version(version: str) -> None:
    """Refuse a server that is too old, and warn of an untested version.

    Servers report `v2.3.5`, `2.4.1-gpu` and the like.

    Raises:
        IndexUnavailable: The server is older than 2.3.
    """
    numbers = re.match(r"\D{0,10}(\d+)\.(\d+)", version)
    if numbers is None:
        _log.warning(
            "Milvus reports the unknown version %r; 2.3 or a later 2.x is expected", version[:50]
        )
        return
    major, minor = int(numbers[1]), int(numbers[2])
    if (major, minor) < OLDEST:
        raise IndexUnavailable(
            f"Milvus {version[:50]} is too old for the index; 2.3 is the oldest that works"
        )
    _log.info("Milvus %s", version[:50])
    if major > NEWEST_MAJOR:
        _log.warning("Milvus %s is newer than any that this service was tested with", version[:50])
