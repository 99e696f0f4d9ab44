"""The connection to the catalogue: transactions, SQLite's settings, migrations."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Executable,
    NullPool,
    Row,
    Select,
    Update,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import Table

from bento_service.catalogue.columns import stored_json
from bento_service.catalogue.migration import migrate
from bento_service.errors import CatalogueUnavailable, StorageFull

_WRITES = "lookalike_writes"
_READING = {"isolation_level": "REPEATABLE READ"}
"""The level of transactions of PostgreSQL that see one state."""
_WRITING = {"isolation_level": "READ COMMITTED"}
"""The level at which a statement sees what was committed while it waited for a lock."""
_DISK_FULL = "53100"
"""The state of PostgreSQL's error for a full disk, whose message can be in any language."""
_LOCK = 0x6C6F6F6B616C696B
"""The key of PostgreSQL's advisory lock of a whole catalogue."""
_LOCK_WAIT = "600s"
_SESSION_OPTIONS = {"connect_timeout": 5, "tcp_user_timeout": 5000}
_VALUES_PER_STATEMENT = 500
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Database:
    """A pool of connections to SQLite or PostgreSQL. Close it with `with`.

    Every method raises `CatalogueUnavailable` if the database does not answer, is locked for too
    long or is damaged, and `StorageFull` if its disk has no room; nothing is changed then.
    """

    def __init__(self, url: str) -> None:
        """Connect to the database of an SQLAlchemy URL; create missing files of SQLite."""
        parsed = make_url(url)
        is_sqlite = parsed.get_backend_name() == "sqlite"
        if is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine: Engine = create_engine(
            parsed,
            pool_pre_ping=parsed.host is not None,
            json_deserializer=stored_json,
            **({} if is_sqlite else _READING),
        )
        if is_sqlite:
            event.listen(self._engine, "connect", _set_up_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        writing = {_WRITES: True} if is_sqlite else _WRITING
        self._writing_engine = self._engine.execution_options(**writing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    @property
    def is_shared(self) -> bool:
        """True if several processes can use the database at once, as PostgreSQL allows."""
        return self._engine.dialect.name != "sqlite"

    def migrate(self) -> None:
        """Bring the tables to the newest revision; wait for another process that does so."""
        with self.writing() as connection:
            lock_catalogue(connection)
            migrate(connection)

    def session(self) -> Connection:
        """Open a connection to PostgreSQL outside of the pool, without transactions.

        It fails within seconds when the network is lost. The caller closes it.
        """
        engine = create_engine(
            self._engine.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args=_SESSION_OPTIONS,
        )
        return engine.connect()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state and changes nothing."""
        with raising_own_errors(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that is durable when the block ends, and void if the block raises."""
        with raising_own_errors(), self._writing_engine.begin() as connection:
            yield connection

    def rows(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """Return all rows of a statement that reads."""
        with self.reading() as connection:
            return connection.execute(statement, parameters).all()

    def scalars(self, statement: Executable) -> Sequence[Any]:
        """Return the first column of all rows of a statement that reads."""
        with self.reading() as connection:
            return connection.execute(statement).scalars().all()

    def scalar(self, statement: Executable) -> Any:
        """Return the first value of a statement that reads; `None` if there is no row."""
        with self.reading() as connection:
            return connection.execute(statement).scalar()

    def write(self, statement: Executable) -> None:
        """Execute one statement in a writing transaction of its own."""
        with self.writing() as connection:
            connection.execute(statement)


class TableGroup:
    """A part of the catalogue: some tables of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database


@contextmanager
def raising_own_errors() -> Iterator[None]:
    """Turn failures of the database into errors of this service; pass on defects of ours."""
    try:
        yield
    except (DatabaseError, InterfaceError, NoFreeConnection) as error:
        # Other subclasses of DatabaseError mean that a statement is wrong, not the database.
        failures = (OperationalError, InterfaceError, NoFreeConnection)
        if not isinstance(error, failures) and type(error) is not DatabaseError:
            raise
        cause = getattr(error, "orig", error)
        reason = str(cause)
        if "disk is full" in reason or getattr(cause, "sqlstate", None) == _DISK_FULL:
            raise StorageFull(
                "the disk of the catalogue is full; free room and send it again"
            ) from error
        _log.warning("the catalogue's database failed: %s", reason)
        raise CatalogueUnavailable(
            "the catalogue's database does not answer; nothing is lost, try again shortly"
        ) from error


def lock_catalogue(connection: Connection) -> None:
    """Let one process at a time go on until its transaction ends; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'"))
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def slices(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield the values in their order, in parts that fit into one statement."""
    size = _VALUES_PER_STATEMENT
    return (values[at : at + size] for at in range(0, len(values), size))


def rows_in(
    connection: Connection, statement: Select[Any], column: Any, values: Iterable[Any]
) -> Iterator[Row[Any]]:
    """Yield the rows of a select whose column has one of any number of values."""
    for some in slices(sorted(set(values))):
        yield from connection.execute(statement.where(column.in_(some)))


def write_in(
    connection: Connection, statement: Update | Delete, column: Any, values: Iterable[Any]
) -> int:
    """Update or delete the rows whose column has one of any number of values; return how many."""
    parts = slices(sorted(set(values)))
    return sum(connection.execute(statement.where(column.in_(some))).rowcount for some in parts)


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an insert that skips rows which violate a unique constraint."""
    inserting: Insert = _insert(connection, table).on_conflict_do_nothing()
    return inserting


def insert_or_update(
    connection: Connection, table: Table, key: Sequence[str], columns: Sequence[str]
) -> Insert:
    """Return an insert that updates `columns` of rows whose `key` columns exist already."""
    new = _insert(connection, table)
    written = {column: new.excluded[column] for column in columns}
    inserting: Insert = new.on_conflict_do_update(index_elements=key, set_=written)
    return inserting


def _insert(connection: Connection, table: Table) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


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
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # This takes no lock and so does not fail. By SQLAlchemy it takes as long as a short select.
        connection.connection.cursor().execute("BEGIN")
