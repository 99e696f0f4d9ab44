"""Waiting for changes of the catalogue, by this process and by other replicas."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bento_service.catalogue import Catalogue

_POLL_SECONDS = 0.5


@dataclass
class ChangeWait:
    """The wait of one thread for changes.

    A change of this process calls `wake`. Changes of other replicas are looked for in the
    catalogue, if it can be shared. Another owner is a change too.
    """

    catalogue: Catalogue
    is_owner: Callable[[], bool]
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _seen: tuple[int, int, bool] | None = field(default=None, init=False)

    def wake(self) -> None:
        """End the wait, or the next one if the thread does not wait."""
        self._wake.set()

    def begin(self) -> None:
        """Note the present state; call it before changes are read."""
        self._wake.clear()
        if self.catalogue.database.is_shared:
            self._seen = self._state()

    def wait(self, seconds: float | None) -> bool:
        """Wait for a change since `begin`, without a limit if `seconds` is `None`.

        Returns:
            True if there was one; false if the time has passed.
        """
        if not self.catalogue.database.is_shared:
            return self._wake.wait(seconds)
        deadline = float("inf") if seconds is None else time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._wake.wait(min(_POLL_SECONDS, left)) or self._state() != self._seen:
                return True
        return False

    def _state(self) -> tuple[int, int, bool]:
        return (*self.catalogue.indexes.state(), self.is_owner())
