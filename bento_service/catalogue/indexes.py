"""The indexes of collections, and how far each has come: one for each descriptor version."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, union_all, update

from bento_service.catalogue.database import Database
from bento_service.catalogue.records import DescriptorSpace, IndexRecord, Successor
from bento_service.catalogue.tables import collections, indexes, retired_indexes, successors

serves = collections.c.index_name == indexes.c.name
"""Whether an index is the one that searches of its collection use."""

followers = union_all(
    select(indexes.c.id.label("index_id"), indexes.c.applied).where(
        indexes.c.id.not_in(select(retired_indexes.c.index_id))
    ),
    select(successors.c.index_id, successors.c.applied),
).subquery("followers")
"""All that has to apply changes, and how far each has come."""


class Indexes:
    """The `indexes` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[IndexRecord]:
        """Every index of every collection, in the order in which they were made."""
        with self._database.reading() as connection:
            rows = connection.execute(select_indexes().order_by(indexes.c.id))
            return [index_record(row) for row in rows]

    def of(self, collection_id: int) -> list[IndexRecord]:
        """The indexes of a collection, the one that serves first."""
        with self._database.reading() as connection:
            return indexes_of(connection, collection_id)

    def get(self, index_id: int) -> IndexRecord | None:
        """One index; `None` where it has gone."""
        with self._database.reading() as connection:
            row = connection.execute(select_indexes().where(indexes.c.id == index_id)).one_or_none()
            return None if row is None else index_record(row)

    def set_applied(self, index_id: int, revision: int) -> None:
        """Record that an index holds every change of its collection up to `revision`."""
        with self._database.writing() as connection:
            connection.execute(
                update(indexes).where(indexes.c.id == index_id).values(applied=revision)
            )


def index_prefix(instance_id: str) -> str:
    """What the names of a catalogue's indexes begin with."""
    return f"lookalike_{instance_id[:12]}_"


def add_index(
    connection: Connection, collection_id: int, name: str, space: DescriptorSpace, *, ready: bool
) -> None:
    """Record an index; `ready` unless a reindex is to prepare it."""
    connection.execute(
        insert(indexes).values(
            collection_id=collection_id,
            name=name,
            descriptor=space.descriptor,
            precision=space.precision,
            model=space.model,
            fingerprint=space.fingerprint,
            dimension=space.dimension,
            ready=ready,
        )
    )


def indexes_of(connection: Connection, collection_id: int) -> list[IndexRecord]:
    """The indexes of a collection, the one that serves first."""
    rows = connection.execute(
        select_indexes()
        .where(indexes.c.collection_id == collection_id)
        .order_by(serves.desc(), indexes.c.id)
    )
    return [index_record(row) for row in rows]


def select_indexes() -> Any:
    """Their rows, with what a record tells of the collection; without the retired ones."""
    return (
        select(
            indexes,
            collections.c.name.label("collection"),
            collections.c.revision,
            serves.label("serves"),
            successors.c.name.label("successor_name"),
            successors.c.kind.label("successor_kind"),
            successors.c.applied.label("successor_applied"),
        )
        .join(collections, collections.c.id == indexes.c.collection_id)
        .outerjoin(successors, successors.c.index_id == indexes.c.id)
        .where(indexes.c.id.not_in(select(retired_indexes.c.index_id)))
    )


def index_record(row: Row[Any]) -> IndexRecord:
    """A row of `select_indexes`."""
    return IndexRecord(
        id=row.id,
        collection_id=row.collection_id,
        collection=row.collection,
        name=row.name,
        space=DescriptorSpace(
            row.descriptor, row.model, row.fingerprint, row.dimension, row.precision
        ),
        revision=row.revision,
        applied=row.applied,
        serves=bool(row.serves),
        ready=row.ready,
        drop_missing=row.drop_missing,
        job_number=row.job_number,
        successor=_successor(row),
    )


def _successor(row: Row[Any]) -> Successor | None:
    if row.successor_name is None:
        return None
    return Successor(row.successor_name, row.successor_kind, row.successor_applied)
