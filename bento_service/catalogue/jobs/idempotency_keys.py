"""Idempotency keys, with which callers repeat a call without starting a second job."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, select, update

from bento_service.catalogue.database import TableGroup, insert_or_ignore
from bento_service.catalogue.jobs.records import Claim
from bento_service.catalogue.tables import idempotency_keys, jobs
from bento_service.errors import Conflict

KEPT = timedelta(hours=24)
"""The time from its first use for which a key stands for its job."""


class IdempotencyKeys(TableGroup):
    """The `idempotency_keys` table."""

    def job_of(self, claim: Claim) -> str | None:
        """Return the id of the job that was started under a key; `None` if the key is new."""
        with self._database.reading() as connection:
            return _job_of(connection, claim)

    def remove_expired(self) -> None:
        """Forget the keys that were first used longer than `KEPT` ago."""
        self._database.write(delete(idempotency_keys).where(_is_expired()))


def claim_key(connection: Connection, claim: Claim | None) -> str | None:
    """Claim a new key and return `None`, or return the id of the job that has the key.

    Of two transactions that claim the same key at once, one waits for the other, so that only one
    of them starts a job. Without a claim, nothing is done. Raise `Conflict` if the key was used for
    another request.
    """
    if claim is None:
        return None
    own = idempotency_keys.c.key == claim.key
    connection.execute(delete(idempotency_keys).where(own, _is_expired()))
    inserted = connection.execute(
        insert_or_ignore(connection, idempotency_keys).returning(idempotency_keys.c.key),
        [{"key": claim.key, "digest": claim.digest, "created_at": datetime.now(UTC)}],
    ).all()
    return None if inserted else _job_of(connection, claim)


def assign_job(connection: Connection, claim: Claim | None, job_number: int) -> None:
    """Let a key that was claimed in this transaction stand for a job."""
    if claim is not None:
        own = idempotency_keys.c.key == claim.key
        connection.execute(update(idempotency_keys).where(own).values(job_number=job_number))


def _job_of(connection: Connection, claim: Claim) -> str | None:
    row = connection.execute(
        select(idempotency_keys.c.digest, jobs.c.id)
        .join(jobs, jobs.c.number == idempotency_keys.c.job_number)
        .where(idempotency_keys.c.key == claim.key, ~_is_expired())
    ).one_or_none()
    if row is None:
        return None
    if row.digest != claim.digest:
        raise Conflict(
            f"the idempotency key {claim.key!r} was used for another request, which started job "
            f"{row.id}; use a new key for a new request"
        )
    return str(row.id)


def _is_expired() -> ColumnElement[bool]:
    return idempotency_keys.c.created_at <= datetime.now(UTC) - KEPT
