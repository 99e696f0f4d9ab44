"""Waiting for changes of the catalogue, by this process and by other replicas."""

import threading
import time
from collections.abc import Callable

from bento_service.catalogue import Catalogue

POLL_SECONDS = 0.5


class ChangeWait:
    """The wait of one thread for changes.

    A change of this process calls `wake`. Changes of other replicas are looked for in the
    catalogue, if it can be shared. Another owner is a change too.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        is_owner: Callable[[], bool],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._catalogue = catalogue
        self._is_owner = is_owner
        self._poll_seconds = poll_seconds
        self._wake = threading.Event()
        self._seen: tuple[int, int, bool] | None = None

    def wake(self) -> None:
        """End the wait, or the next one if the thread does not wait."""
        self._wake.set()

    def begin(self) -> None:
        """Note the present state; call it before changes are read."""
        self._wake.clear()
        if self._catalogue.database.is_shared:
            self._seen = self._state()

    def wait(self, seconds: float | None) -> bool:
        """Wait for a change since `begin`, without a limit if `seconds` is `None`.

        Returns:
            True if there was one; false if the time has passed.
        """
        if not self._catalogue.database.is_shared:
            return self._wake.wait(seconds)
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._wake.wait(min(self._poll_seconds, left)):
                return True
            if self._state() != self._seen:
                return True
        return False

    def _state(self) -> tuple[int, int, bool]:
        return (*self._catalogue.indexes.state(), self._is_owner())
