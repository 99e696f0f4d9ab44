"""This process as a replica: its leases, and the election of the owner.

Replicas share the work of jobs by leases. One of them, the owner, does what has to be done once for
all of them: it writes to the index and keeps the catalogue tidy.
"""

import logging
import os
import secrets
import socket
import threading
import time
from contextlib import suppress
from typing import Self

from bento_service.catalogue import Catalogue
from bento_service.catalogue.replicas import SILENCE_SECONDS, ReplicaSession
from bento_service.errors import CatalogueUnavailable, Conflict, StorageFull

BEAT_SECONDS = 2.0
LEASE_SECONDS = 15.0
OWNER_SECONDS = 6.0
ALONE_SECONDS = 2.0 * SILENCE_SECONDS
_LOOK_SECONDS = 0.1
_CLOSE_SECONDS = 30.0
_TRANSIENT = (CatalogueUnavailable, StorageFull)
_log = logging.getLogger(__name__)


class Replica:
    """A replica that renews its leases and stands for election. Start it with `with`.

    A replica that cannot reach the catalogue stops being the owner by itself, before PostgreSQL
    lets another one take over. With SQLite the process is the only replica, and the owner.

    Args:
        beat_seconds: Seconds between two renewals, and two attempts to become the owner.
        owner_seconds: Seconds after the last renewal in which the ownership ends; shorter than
            `SILENCE_SECONDS`, after which another replica may take over.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        beat_seconds: float = BEAT_SECONDS,
        owner_seconds: float = OWNER_SECONDS,
    ) -> None:
        self.name = f"{socket.gethostname()[:64]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._replicas = catalogue.replicas
        self._is_shared = catalogue.database.is_shared
        self._session = ReplicaSession(catalogue.database)
        self._beat_seconds = beat_seconds
        self._owner_seconds = owner_seconds
        self._number = 0
        self._owner_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replica", daemon=True)

    def __enter__(self) -> Self:
        self._number = self._replicas.join(self.name, seconds=LEASE_SECONDS)
        if not self._is_shared:
            self._owner_until = float("inf")
            return self
        self._beat()
        _log.info("this is replica %s", self.name)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._is_shared:
            self._thread.join(_CLOSE_SECONDS)
        self._session.close()
        with suppress(*_TRANSIENT):  # the leases end by themselves
            self._replicas.leave(self._number)

    @property
    def alive(self) -> bool:
        """True if the leases are renewed; a defect that ends that is in the log."""
        return not self._is_shared or self._thread.is_alive()

    def number(self) -> int:
        """Return the number under which leases are taken, another one after they had ended."""
        return self._number

    def is_owner(self) -> bool:
        """Return true if this replica does what is done once for all replicas."""
        return time.monotonic() < self._owner_until

    def require_ownership(self, *, seconds: float = ALONE_SECONDS) -> None:
        """Wait until this replica is the owner, because its index cannot be shared.

        Raise `Conflict` if another service uses the catalogue, and still does after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not self.is_owner():
            if time.monotonic() > deadline:
                others = [name for name in self._replicas.living() if name != self.name]
                raise Conflict(
                    f"another service uses this catalogue ({', '.join(others) or 'unknown'}); stop "
                    "it, or give both a Milvus server (LOOKALIKE_MILVUS_URI)"
                )
            time.sleep(_LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._beat_seconds):
            try:
                self._beat()
            except _TRANSIENT as error:
                _log.warning("replica %s cannot renew its leases: %s", self.name, error)

    def _beat(self) -> None:
        """Renew the ownership or stand for election, and renew the leases."""
        now, was_owner = time.monotonic(), self.is_owner()
        self._owner_until = now + self._owner_seconds if self._session.own() else 0.0
        if self.is_owner() != was_owner:
            _log.info("replica %s is %s the owner", self.name, "not" if was_owner else "now")
        if not self._session.renew(self._number, seconds=LEASE_SECONDS):
            self._number = self._replicas.join(self.name, seconds=LEASE_SECONDS)
