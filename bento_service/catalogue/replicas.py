"""Replicas: the running processes of the service that share one catalogue."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)

from bento_service.catalogue.database import Database, TableGroup, raising_own_errors
from bento_service.catalogue.indexes import instance_id
from bento_service.catalogue.tables import replicas
from bento_service.errors import CatalogueUnavailable

SILENCE_SECONDS = 10
"""Seconds without a call after which PostgreSQL frees the lock of the owner."""

is_live = or_(replicas.c.expires_at.is_(None), replicas.c.expires_at > func.current_timestamp())
"""The condition that a replica has its leases. The database's clock decides, never a replica's."""


def is_free(holder: ColumnElement[int | None], replica: Any) -> ColumnElement[bool]:
    """Return the condition that a lease is held by no living replica, and not by this one."""
    living = select(replicas.c.number).where(is_live)
    return or_(holder.is_(None), and_(holder != replica, holder.not_in(living)))


class Replicas(TableGroup):
    """The `replicas` table.

    A replica that does not renew its row in time has lost its leases, and joins again under
    another number. In SQLite, the process that joins is the only one.
    """

    def join(self, name: str, *, seconds: float) -> int:
        """Add a replica, whose leases last for `seconds`; return its number."""
        is_shared = self._database.is_shared
        values = {"name": name, "expires_at": _expiry(seconds) if is_shared else None}
        inserting = insert(replicas).values(values).returning(replicas.c.number)
        with self._database.writing() as connection:
            connection.execute(delete(replicas).where(~is_live if is_shared else true()))
            return int(connection.execute(inserting).scalar_one())

    def leave(self, number: int) -> None:
        """Remove a replica, which ends its leases."""
        self._database.write(delete(replicas).where(replicas.c.number == number))

    def living(self) -> list[str]:
        """Return the names of the replicas that have leases, oldest first."""
        statement = select(replicas.c.name).where(is_live).order_by(replicas.c.number)
        return list(self._database.scalars(statement))


class ReplicaSession:
    """A replica's own connection to PostgreSQL, with which it renews its leases and is the owner.

    It connects with its first call. The owner is the replica whose session holds an advisory lock.
    PostgreSQL ends the session, and frees the lock, when the replica ends, and when it is silent
    for `silence_seconds`, because its machine or its network is gone.

    Every method raises `CatalogueUnavailable` if PostgreSQL does not answer; the lock is lost then.
    """

    def __init__(self, database: Database, *, silence_seconds: int = SILENCE_SECONDS) -> None:
        self._database = database
        self._silence_seconds = silence_seconds
        self._connection: Connection | None = None
        self._key = 0
        self._owns = False

    def own(self) -> bool:
        """Become the owner without waiting for another one; return true if this replica is it."""
        with self._connected() as connection:
            if self._owns:
                connection.execute(select(1))
            else:
                locking = select(func.pg_try_advisory_lock(self._key))
                self._owns = bool(connection.execute(locking).scalar())
            return self._owns

    def renew(self, number: int, *, seconds: float) -> bool:
        """Let leases last for `seconds` from now; return false if they have ended before."""
        own = and_(replicas.c.number == number, is_live)
        with self._connected() as connection:
            renewing = update(replicas).where(own).values(expires_at=_expiry(seconds))
            return connection.execute(renewing).rowcount == 1

    def close(self) -> None:
        """Close the connection, which frees the lock; a later call connects again."""
        connection, self._connection, self._owns = self._connection, None, False
        if connection is not None:
            connection.close()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with raising_own_errors():
                yield self._connection or self._connect()
        except CatalogueUnavailable:
            self.close()
            raise

    def _connect(self) -> Connection:
        with self._database.writing() as connection:
            self._key = int(instance_id(connection)[:15], 16)
        # Outside of the pool: the leases must not end because all connections there are in use.
        self._connection = self._database.session()
        timeout = f"SET idle_session_timeout = '{self._silence_seconds}s'"
        self._connection.execute(text(timeout))
        return self._connection


def _expiry(seconds: float) -> ColumnElement[Any]:
    return func.current_timestamp() + timedelta(seconds=seconds)
