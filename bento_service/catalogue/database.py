"""The connection to the catalogue: transactions, SQLite's settings, migrations."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import Table

from bento_service.catalogue.migration import migrate
from bento_service.errors import StorageFull

_WRITES = "lookalike_writes"


class Database:
    """A pool of connections to SQLite or PostgreSQL. Close it with `with`."""

    def __init__(self, url: str) -> None:
        """Connect; a missing SQLite file and its folder are created.

        Args:
            url: An SQLAlchemy URL, such as `sqlite:////srv/lookalike/catalogue.db`.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine: Engine = create_engine(parsed, pool_pre_ping=parsed.host is not None)
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._writing_engine = self._engine.execution_options(**{_WRITES: True})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def migrate(self) -> None:
        """Bring the tables to the newest revision."""
        with self.writing() as connection:
            migrate(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and changes nothing."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and void when the block raises.

        Raises:
            StorageFull: The disk has no room; nothing was changed.
        """
        try:
            with self._writing_engine.begin() as connection:
                yield connection
        except OperationalError as error:
            if "disk is full" in str(error.orig):
                raise StorageFull(
                    "the disk of the catalogue is full; free room and send it again"
                ) from error
            raise


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """An insert that leaves rows alone which a unique constraint already holds."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return insert(table)


def insert_or_update(
    connection: Connection, table: Table, key: Sequence[str], columns: Sequence[str]
) -> Insert:
    """An insert that writes some columns of the rows that are there already.

    Args:
        connection: To SQLite or PostgreSQL.
        table: Where to.
        key: The columns of a unique constraint.
        columns: What is written.
    """
    if connection.dialect.name == "sqlite":
        row = sqlite.insert(table)
        written = {column: row.excluded[column] for column in columns}
        return row.on_conflict_do_update(index_elements=key, set_=written)
    new = postgresql.insert(table)
    written = {column: new.excluded[column] for column in columns}
    return new.on_conflict_do_update(index_elements=key, set_=written)


def _set_up_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "busy_timeout = 30000",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that began reading cannot become a writing one while another writes.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
