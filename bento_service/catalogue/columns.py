"""Column types, names of constraints, and options that several tables use."""

import json
import os
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    TypeDecorator,
    text,
)


class FilePath(TypeDecorator[str]):
    """A path as the bytes that the file system stores, since a name need not be valid UTF-8."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Convert a value for the database."""
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Convert a value from the database."""
        return None if value is None else os.fsdecode(value)


_STORED = json.JSONDecoder(parse_constant=lambda _: None)


def stored_json(stored: str | bytes) -> Any:
    """Return a JSON value of the database as answers can carry it.

    Earlier releases stored halves of surrogate pairs, which become `?`, and infinite numbers, which
    become null.
    """
    text = stored if isinstance(stored, str) else stored.decode()
    value = _STORED.decode(text)
    if r"\ud" in text:
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value


class Moment(TypeDecorator[datetime]):
    """A point in time in UTC; SQLite does not store the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value for the database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value from the database."""
        if value is None:
            return None
        # PostgreSQL returns times in the time zone of the session.
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


id_type = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def owned_by(column: str) -> ForeignKey:
    """Return a reference with which a row is deleted together with the row that it refers to."""
    return ForeignKey(column, ondelete="CASCADE")


def partial(condition: str, *, sqlite: str | None = None) -> dict[str, Any]:
    """Return the options of an index over the rows that meet a condition."""
    return {"sqlite_where": text(sqlite or condition), "postgresql_where": text(condition)}
