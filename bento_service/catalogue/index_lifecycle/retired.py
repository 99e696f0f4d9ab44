"""Descriptors of indexes that nobody uses any more: deleted little by little.

All at once they would keep everybody else from writing for seconds.
"""

from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from bento_service.catalogue.database import Database
from bento_service.catalogue.tables import (
    descriptors,
    indexes,
    retired_indexes,
    successors,
)

_ROWS_A_TIME = 1000


class Retired:
    """The `retired_indexes` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self) -> bool:
        """Delete some rows, in a transaction of their own; whether there may be more."""
        with self._database.reading() as connection:
            index_id = connection.execute(select(retired_indexes.c.index_id).limit(1)).scalar()
        if index_id is None:
            return False
        own = descriptors.c.index_id == index_id
        with self._database.writing() as connection:
            some = select(descriptors.c.image_id).where(own).limit(_ROWS_A_TIME)
            gone = connection.execute(
                delete(descriptors).where(own, descriptors.c.image_id.in_(some))
            )
            if gone.rowcount < _ROWS_A_TIME:
                connection.execute(delete(indexes).where(indexes.c.id == index_id))
        return True


def retire(connection: Connection, which: Any) -> int:
    """Let indexes be used by nobody from here on; how many there were.

    Args:
        connection: In a writing transaction.
        which: A condition on `indexes`.
    """
    known = select(retired_indexes.c.index_id)
    chosen = select(indexes.c.id).where(and_(which, indexes.c.id.not_in(known)))
    ids = connection.execute(chosen).scalars().all()
    for index_id in ids:
        connection.execute(insert(retired_indexes).values(index_id=index_id))
        connection.execute(delete(successors).where(successors.c.index_id == index_id))
        # Its descriptor version may come back before all of it has gone.
        connection.execute(
            update(indexes)
            .where(indexes.c.id == index_id)
            .values(fingerprint=f"retired {index_id}", ready=False, job_number=None)
        )
    return len(ids)
