"""Insertion of many rows at once: COPY on PostgreSQL, an ordinary insert on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.schema import Table


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
                copy.set_types([_copied_type(column, connection) for column in columns])
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


def _copied_type(column: Column[Any], connection: Connection) -> str:
    """Return the name by which the driver knows a column's type, such as `varchar`."""
    declared = column.type.compile(connection.dialect).lower()
    return declared.partition(" collate")[0].partition("(")[0]
