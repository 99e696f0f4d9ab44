"""Collections: named galleries of one descriptor space each."""

import re
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from bento_service.catalogue.database import Database
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace
from bento_service.catalogue.tables import collections, instance
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Collections:
    """The `collections` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def instance_id(self) -> str:
        """What tells this catalogue from others; made at the first call."""
        with self._database.writing() as connection:
            known = connection.execute(select(instance.c.id)).scalar()
            if known is not None:
                return str(known)
            made = uuid4().hex
            connection.execute(insert(instance).values(id=made))
            return made

    def create(self, name: str, space: DescriptorSpace) -> CollectionRecord:
        """Create a collection.

        Raises:
            Conflict: The name is taken.
            InvalidArgument: A collection cannot have that name.
        """
        if not _NAME.fullmatch(name):
            raise InvalidArgument(
                f"collection: {name[:200]!r} cannot be a name; use up to 128 letters, digits, "
                "'-', '_' and '.', beginning with a letter or digit"
            )
        index_name = f"lookalike_{self.instance_id()[:12]}_{uuid4().hex[:12]}"
        try:
            with self._database.writing() as connection:
                connection.execute(
                    insert(collections).values(
                        name=name,
                        descriptor=space.descriptor,
                        model=space.model,
                        fingerprint=space.fingerprint,
                        dimension=space.dimension,
                        index_name=index_name,
                        created_at=datetime.now(UTC),
                    )
                )
        except IntegrityError as error:
            raise Conflict(
                f"collection {name!r} exists already; choose another name or delete it first"
            ) from error
        return self.named(name)

    def ensure(self, name: str, space: DescriptorSpace) -> CollectionRecord:
        """The collection of that name, created where there is none.

        Raises:
            InvalidArgument: There is none, and it cannot have that name.
        """
        try:
            return self.named(name)
        except CollectionNotFound:
            pass
        try:
            return self.create(name, space)
        except Conflict:  # another thread was faster
            return self.named(name)

    def named(self, name: str) -> CollectionRecord:
        """The collection of that name.

        Raises:
            CollectionNotFound: There is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                select(collections).where(collections.c.name == name)
            ).one_or_none()
            if row is not None:
                return _record(row)
            names = connection.execute(
                select(collections.c.name).order_by(collections.c.name).limit(20)
            ).scalars()
            known = ", ".join(names)
        raise CollectionNotFound(
            f"collection {name!r} does not exist; create it or use one of: {known}"
        )

    def comparable(self, name: str, space: DescriptorSpace) -> CollectionRecord:
        """The collection of that name, if its descriptors are of that space.

        Raises:
            CollectionNotFound: There is none.
            Conflict: It was made with another descriptor version.
        """
        collection = self.named(name)
        if collection.space.fingerprint != space.fingerprint:
            raise Conflict(
                f"collection {name!r} holds {collection.space.descriptor} descriptors "
                f"({collection.space.fingerprint[:12]}), the service runs {space.descriptor} "
                f"({space.fingerprint[:12]}); use another collection, or start the service with "
                f"the model {collection.space.model}"
            )
        return collection

    def all(self) -> list[CollectionRecord]:
        """Every collection, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(collections).order_by(collections.c.name))
            return [_record(row) for row in rows]

    def delete(self, collection_id: int) -> None:
        """Remove a collection with its images; its index is dropped by the caller."""
        with self._database.writing() as connection:
            connection.execute(delete(collections).where(collections.c.id == collection_id))

    def set_applied(self, collection_id: int, revision: int) -> None:
        """Record that the index holds every change up to `revision`."""
        with self._database.writing() as connection:
            connection.execute(
                update(collections)
                .where(collections.c.id == collection_id)
                .values(applied=revision)
            )


def next_revision(connection: Connection, collection_id: int) -> int:
    """Raise a collection's revision; locks it against other writers until the transaction ends.

    Raises:
        CollectionNotFound: It was deleted in the meantime.
    """
    raised = connection.execute(
        update(collections)
        .where(collections.c.id == collection_id)
        .values(revision=collections.c.revision + 1)
        .returning(collections.c.revision)
    ).scalar()
    if raised is None:
        raise CollectionNotFound("the collection was deleted; create it again")
    return int(raised)


def _record(row: Row[tuple[object, ...]]) -> CollectionRecord:
    return CollectionRecord(
        id=row.id,
        name=row.name,
        space=DescriptorSpace(row.descriptor, row.model, row.fingerprint, row.dimension),
        index_name=row.index_name,
        revision=row.revision,
        applied=row.applied,
        created_at=row.created_at,
    )
