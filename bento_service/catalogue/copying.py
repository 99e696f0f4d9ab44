"""Insertion of many rows at once: COPY on PostgreSQL, an ordinary insert on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    String,
    insert,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.schema import Table
from sqlalchemy.types import TypeDecorator

_COPIED_TYPES: tuple[tuple[type[Any], str], ...] = (
    (JSON, "json"),
    (String, "text"),
    (BigInteger, "int8"),
    (Integer, "int4"),
    (LargeBinary, "bytea"),
    (Boolean, "bool"),
    (DateTime, "timestamptz"),
    (Double, "float8"),
)


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns; a violated constraint raises as in an insert."""
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    columns = [table.c[name] for name in rows[0]]
    names = ", ".join(f'"{column.name}"' for column in columns)
    processors = [_processor(column, connection) for column in columns]
    dbapi: Any = connection.dialect.dbapi
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor:
            statement = f'COPY "{table.name}" ({names}) FROM STDIN (FORMAT BINARY)'
            with cursor.copy(statement) as copy:
                copy.set_types([_copied_type(column) for column in columns])
                for row in rows:
                    copy.write_row(
                        [
                            value if process is None or value is None else process(value)
                            for process, value in zip(processors, row.values(), strict=True)
                        ]
                    )
    except dbapi.Error as error:  # pass on the error that an insert would raise
        raise DBAPIError.instance(f"COPY {table.name}", None, error, dbapi.Error) from error


def _processor(column: Column[Any], connection: Connection) -> Any:
    """Return the conversion of a column's values for the driver, `None` if there is none."""
    return column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)


def _copied_type(column: Column[Any]) -> str:
    """Return the name of a column's type in PostgreSQL."""
    kind: Any = column.type
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    return next(name for known, name in _COPIED_TYPES if isinstance(kind, known))
