"""Keys by which callers repeat a call without starting a second job."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, select, update

from bento_service.catalogue.database import Database, insert_or_ignore
from bento_service.catalogue.jobs.records import Claim
from bento_service.catalogue.tables import idempotency_keys, jobs
from bento_service.errors import Conflict

KEPT = timedelta(hours=24)
"""How long a key stands for its job, from its first use."""


class Claims:
    """The `idempotency_keys` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def job_of(self, claim: Claim) -> str | None:
        """The id of the job that was started under a key; none where the key is new.

        Raises:
            Conflict: Something else was asked for under that key.
        """
        with self._database.reading() as connection:
            return _held(connection, claim)

    def remove_old(self) -> None:
        """Forget the keys that were kept long enough."""
        with self._database.writing() as connection:
            connection.execute(delete(idempotency_keys).where(_is_old()))


def take(connection: Connection, claim: Claim | None) -> str | None:
    """Take a key; or, where it is taken, the id of the job that was started under it.

    Two who take the same key at once wait for each other, so that only one of them starts a job.

    Args:
        connection: In a writing transaction.
        claim: The key and what it is for; where there is none, nothing happens.

    Raises:
        Conflict: Something else was asked for under that key.
    """
    if claim is None:
        return None
    own = idempotency_keys.c.key == claim.key
    connection.execute(delete(idempotency_keys).where(own, _is_old()))
    taken = connection.execute(
        insert_or_ignore(connection, idempotency_keys).returning(idempotency_keys.c.key),
        [{"key": claim.key, "digest": claim.digest, "created_at": datetime.now(UTC)}],
    ).all()
    return None if taken else _held(connection, claim)


def keep(connection: Connection, claim: Claim | None, job_number: int) -> None:
    """Let a key that was taken in this transaction stand for a job."""
    if claim is not None:
        connection.execute(
            update(idempotency_keys)
            .where(idempotency_keys.c.key == claim.key)
            .values(job_number=job_number)
        )


def _held(connection: Connection, claim: Claim) -> str | None:
    row = connection.execute(
        select(idempotency_keys.c.digest, jobs.c.id)
        .join(jobs, jobs.c.number == idempotency_keys.c.job_number)
        .where(idempotency_keys.c.key == claim.key, ~_is_old())
    ).one_or_none()
    if row is None:
        return None
    if row.digest != claim.digest:
        raise Conflict(
            f"the idempotency key {claim.key!r} was used for another request, which started job "
            f"{row.id}; use a new key for a new request"
        )
    return str(row.id)


def _is_old() -> ColumnElement[bool]:
    return idempotency_keys.c.created_at <= datetime.now(UTC) - KEPT
