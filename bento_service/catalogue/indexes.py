"""The indexes of collections, one for each descriptor version, and up to which revision each is."""

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, func, insert, select, union_all, update

from bento_service.catalogue.database import TableGroup, lock_catalogue
from bento_service.catalogue.records import DescriptorSpace, IndexRecord, Replacement
from bento_service.catalogue.tables import (
    collections,
    indexes,
    instance,
    replacements,
    retired_indexes,
)

serves = collections.c.index_name == indexes.c.name
"""True for the index that searches of its collection use."""
_is_used = indexes.c.id.not_in(select(retired_indexes.c.index_id))

followers = union_all(
    select(indexes.c.id.label("index_id"), indexes.c.applied).where(_is_used),
    select(replacements.c.index_id, replacements.c.applied),
).subquery("followers")
"""Everything in the gallery that follows the changes of an index, with its applied revision."""


class Indexes(TableGroup):
    """The `indexes` table."""

    def all(self) -> list[IndexRecord]:
        """Return the indexes of all collections, oldest first."""
        return list(map(index_record, self._database.rows(select_indexes().order_by(indexes.c.id))))

    def of(self, collection_id: int) -> list[IndexRecord]:
        """Return the indexes of a collection, the one that serves first."""
        with self._database.reading() as connection:
            return indexes_of(connection, collection_id)

    def get(self, index_id: int) -> IndexRecord | None:
        """Return an index, or `None` if it was removed."""
        rows = self._database.rows(select_indexes().where(indexes.c.id == index_id))
        return index_record(rows[0]) if rows else None

    def set_applied(self, index_id: int, revision: int) -> bool:
        """Record that an index has all changes up to `revision`; return true if that is news.

        It is not if another replica has recorded as much or more, or if the index was removed.
        """
        own = and_(indexes.c.id == index_id, indexes.c.applied < revision)
        with self._database.writing() as connection:
            changed = connection.execute(update(indexes).where(own).values(applied=revision))
            return changed.rowcount == 1

    def state(self) -> tuple[int, int]:
        """Return two numbers of which at least one differs after images of a collection changed."""
        total = func.coalesce(func.sum(collections.c.revision), 0)
        statement = select(func.count().label("collections"), total.label("revisions"))
        (row,) = self._database.rows(statement.select_from(collections))
        return row.collections, int(row.revisions)


def instance_id(connection: Connection) -> str:
    """Return the random id of this catalogue; it is created at the first call."""
    known = connection.execute(select(instance.c.id)).scalar()
    if known is None:
        lock_catalogue(connection)  # another process may create it at the same time
        known = connection.execute(select(instance.c.id)).scalar()
    if known is not None:
        return str(known)
    new = uuid4().hex
    connection.execute(insert(instance).values(id=new))
    return new


def index_prefix(instance_id: str) -> str:
    """Return the beginning of the names of all indexes of a catalogue."""
    return f"lookalike_{instance_id[:12]}_"


def new_index_name(connection: Connection) -> str:
    """Return a name that no index of this catalogue had before, for one in the gallery."""
    return f"{index_prefix(instance_id(connection))}{uuid4().hex[:12]}"


def add_index(
    connection: Connection, collection_id: int, name: str, space: DescriptorSpace, *, ready: bool
) -> None:
    """Record an index; `ready` unless a reindex is to prepare it."""
    values = {**vars(space), "collection_id": collection_id, "name": name, "ready": ready}
    connection.execute(insert(indexes).values(values))


def indexes_of(connection: Connection, collection_id: int) -> list[IndexRecord]:
    """Return the indexes of a collection, the one that serves first."""
    statement = select_indexes().where(indexes.c.collection_id == collection_id)
    rows = connection.execute(statement.order_by(serves.desc(), indexes.c.id))
    return list(map(index_record, rows))


def select_indexes() -> Any:
    """Return a select of all that an `IndexRecord` needs, without retired indexes."""
    return (
        select(
            indexes,
            collections.c.name.label("collection"),
            collections.c.revision,
            serves.label("serves"),
            replacements.c.name.label("replacement_name"),
            replacements.c.kind.label("replacement_kind"),
            replacements.c.applied.label("replacement_applied"),
        )
        .join(collections, collections.c.id == indexes.c.collection_id)
        .outerjoin(replacements, replacements.c.index_id == indexes.c.id)
        .where(_is_used)
    )


def index_record(row: Row[Any]) -> IndexRecord:
    """Return the record of a row of `select_indexes`."""
    replacement = None
    if row.replacement_name is not None:
        replacement = Replacement(
            row.replacement_name, row.replacement_kind, row.replacement_applied
        )
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
        replacement=replacement,
    )
