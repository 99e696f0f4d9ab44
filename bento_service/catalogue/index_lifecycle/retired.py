"""Retired indexes, whose descriptors are deleted in small parts.

Deleting all descriptors of an index at once would block other writers for seconds.
"""

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from bento_service.catalogue.database import TableGroup
from bento_service.catalogue.tables import descriptors, indexes, replacements, retired_indexes

ROWS_PER_SWEEP = 1000
"""Descriptors that one transaction deletes."""


class RetiredIndexes(TableGroup):
    """The `retired_indexes` table."""

    def sweep(self, *, rows: int = ROWS_PER_SWEEP) -> bool:
        """Delete up to `rows` descriptors; return whether there may be more."""
        index_id = self._database.scalar(select(retired_indexes.c.index_id).limit(1))
        if index_id is None:
            return False
        own = descriptors.c.index_id == index_id
        with self._database.writing() as connection:
            some = select(descriptors.c.image_id).where(own).limit(rows)
            chosen = and_(own, descriptors.c.image_id.in_(some))
            if connection.execute(delete(descriptors).where(chosen)).rowcount < rows:
                connection.execute(delete(indexes).where(indexes.c.id == index_id))
        return True


def retire(connection: Connection, which: ColumnElement[bool]) -> int:
    """Retire the indexes that meet a condition; return how many there were."""
    known = select(retired_indexes.c.index_id)
    chosen = select(indexes.c.id).where(and_(which, indexes.c.id.not_in(known)))
    ids = connection.execute(chosen).scalars().all()
    for index_id in ids:
        connection.execute(insert(retired_indexes).values(index_id=index_id))
        connection.execute(delete(replacements).where(replacements.c.index_id == index_id))
        # Its descriptor version may come back before all of its descriptors are deleted.
        connection.execute(
            update(indexes)
            .where(indexes.c.id == index_id)
            .values(fingerprint=f"retired {index_id}", ready=False, job_number=None)
        )
    return len(ids)
