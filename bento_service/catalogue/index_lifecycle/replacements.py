"""Exchanging an index in Milvus for one of another kind, which is filled beside it."""

from uuid import uuid4

from sqlalchemy import delete, insert, select, update

from bento_service.catalogue.database import Database
from bento_service.catalogue.indexes import index_prefix
from bento_service.catalogue.records import IndexRecord, Successor
from bento_service.catalogue.tables import collections, indexes, instance, successors


class Successors:
    """The `successors` table. Descriptors and cursors of the other tables stay as they are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, index: IndexRecord, kind: str) -> None:
        """Record that an index is to be exchanged; one that was begun before is forgotten."""
        own = successors.c.index_id == index.id
        with self._database.writing() as connection:
            connection.execute(delete(successors).where(own))
            still = connection.execute(select(indexes.c.id).where(indexes.c.id == index.id))
            if still.scalar() is None:  # its collection was deleted
                return
            prefix = index_prefix(connection.execute(select(instance.c.id)).scalar_one())
            name = f"{prefix}{uuid4().hex[:12]}"
            connection.execute(insert(successors).values(index_id=index.id, name=name, kind=kind))

    def set_applied(self, successor: Successor, revision: int) -> None:
        """Record that it holds every change up to `revision`."""
        with self._database.writing() as connection:
            connection.execute(
                update(successors)
                .where(successors.c.name == successor.name)
                .values(applied=revision)
            )

    def switch(self, index: IndexRecord, successor: Successor) -> bool:
        """Let an index be what its successor is; searches use it from here on.

        Returns:
            Whether that was still to be done.
        """
        with self._database.writing() as connection:
            gone = connection.execute(
                delete(successors)
                .where(successors.c.index_id == index.id, successors.c.name == successor.name)
                .returning(successors.c.applied)
            ).scalar()
            if gone is None:
                return False
            connection.execute(
                update(collections)
                .where(collections.c.index_name == index.name)
                .values(index_name=successor.name)
            )
            connection.execute(
                update(indexes)
                .where(indexes.c.id == index.id)
                .values(name=successor.name, applied=gone)
            )
            return True

    def give_up(self, index: IndexRecord) -> None:
        """Forget it; what is in Milvus is dropped by the caller."""
        with self._database.writing() as connection:
            connection.execute(delete(successors).where(successors.c.index_id == index.id))
