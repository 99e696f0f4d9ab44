"""Pins of uploads that requests hold, and claims of uploads that are being removed.

A request commits its pins before it looks for claims, and a removal commits its claims before it
looks for pins. So at least one of the two sees the other, whichever processes they are in, and
neither needs a transaction that is open while bytes are stored or removed.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select, update

from bento_service.catalogue.database import TableGroup, insert_or_ignore, slices
from bento_service.catalogue.tables import upload_pins, upload_removals
from bento_service.errors import NotReady

PIN_SECONDS = 3600
"""The time after which a pin may be dropped, in case its process has died."""
CLAIM_SECONDS = 300
"""The time after which a claim is void, in case its process has died."""


class UploadPins(TableGroup):
    """The `upload_pins` and `upload_removals` tables."""

    def pin(self, holder: str, digests: Iterable[str]) -> None:
        """Pin uploads, and renew the holder's other pins.

        `holder` is an id of at most 32 characters that no other request has.
        """
        own = upload_pins.c.holder == holder
        with self._database.writing() as connection:
            until = _now(connection) + timedelta(seconds=PIN_SECONDS)
            rows = [
                {"holder": holder, "sha256": each, "expires_at": until} for each in set(digests)
            ]
            connection.execute(update(upload_pins).where(own).values(expires_at=until))
            if rows:
                connection.execute(insert_or_ignore(connection, upload_pins), rows)

    def unpin(self, holder: str) -> None:
        """Drop the pins of a holder."""
        self._database.write(delete(upload_pins).where(upload_pins.c.holder == holder))

    def drop_expired(self) -> None:
        """Drop the pins of requests that took too long, or whose processes have died."""
        with self._database.writing() as connection:
            expired = upload_pins.c.expires_at <= _now(connection)
            connection.execute(delete(upload_pins).where(expired))

    def are_claimed(self, digests: Iterable[str]) -> bool:
        """Return true if one of these uploads is being removed."""
        with self._database.reading() as connection:
            now = _now(connection)
            for some in slices(sorted(set(digests))):
                claimed = select(upload_removals.c.sha256).where(
                    upload_removals.c.sha256.in_(some), upload_removals.c.expires_at > now
                )
                if connection.execute(claimed.limit(1)).scalar() is not None:
                    return True
        return False

    @contextmanager
    def claimed(self, digests: Iterable[str]) -> Iterator[set[str]]:
        """Claim some uploads for their removal; yield those that no other removal has claimed.

        If the block raises, the claims stay until they expire, because a removal that was not
        answered may still take place.
        """
        holder = uuid4().hex
        claimed = self._claim(holder, sorted(set(digests)))
        yield claimed
        self._database.write(delete(upload_removals).where(upload_removals.c.holder == holder))

    def _claim(self, holder: str, digests: Sequence[str]) -> set[str]:
        with self._database.writing() as connection:
            now = _now(connection)
            until = now + timedelta(seconds=CLAIM_SECONDS)
            rows = [{"sha256": each, "holder": holder, "expires_at": until} for each in digests]
            expired = upload_removals.c.expires_at <= now
            connection.execute(delete(upload_removals).where(expired))
            inserted = insert_or_ignore(connection, upload_removals)
            claimed = connection.execute(inserted.returning(upload_removals.c.sha256), rows)
            return set(claimed.scalars())

    def forget_earlier(self) -> None:
        """Forget the pins and claims of earlier processes in SQLite, which only one uses."""
        with self._database.writing() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(delete(upload_pins))
                connection.execute(delete(upload_removals))


def exchange_pins(connection: Connection, holder: str, digests: Iterable[str]) -> None:
    """Drop the pins of a holder in the transaction that makes its uploads needed by a job.

    Raise `NotReady` if a pin has expired, because the upload may have been removed.
    """
    own = delete(upload_pins).where(upload_pins.c.holder == holder)
    if connection.execute(own).rowcount < len(set(digests)):
        raise NotReady("the request took too long to be stored; send it again")


def _now(connection: Connection) -> datetime:
    """Return the time of the database, because the clocks of several machines differ."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now
