"""Collections: named galleries, searched in one descriptor space each."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from bento_service.catalogue.database import Database
from bento_service.catalogue.indexes import (
    add_index,
    index_prefix,
    index_record,
    select_indexes,
    serves,
)
from bento_service.catalogue.jobs.rows import close_job
from bento_service.catalogue.records import CollectionRecord, Computed, DescriptorSpace
from bento_service.catalogue.tables import (
    OPEN_STATES,
    SourceKind,
    collections,
    images,
    instance,
    jobs,
    sources,
)
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument
from client_sdk.schemas import JobState

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

    def create(
        self, name: str, space: DescriptorSpace, *, ttl_seconds: int | None = None
    ) -> CollectionRecord:
        """Create a collection.

        Args:
            name: What it is called.
            space: What its images are described in.
            ttl_seconds: How long after its last change it is to be deleted; never if `None`.

        Raises:
            Conflict: The name is taken.
            InvalidArgument: A collection cannot have that name.
        """
        if not _NAME.fullmatch(name):
            raise InvalidArgument(
                f"collection: {name[:200]!r} cannot be a name; use up to 128 letters, digits, "
                "'-', '_' and '.', beginning with a letter or digit"
            )
        beginning = index_prefix(self.instance_id())
        now = datetime.now(UTC)
        try:
            with self._database.writing() as connection:
                index_name = f"{beginning}{uuid4().hex[:12]}"
                collection_id = connection.execute(
                    insert(collections)
                    .values(
                        name=name,
                        index_name=index_name,
                        created_at=now,
                        changed_at=now,
                        ttl_seconds=ttl_seconds,
                    )
                    .returning(collections.c.id)
                ).scalar_one()
                add_index(connection, collection_id, index_name, space, ready=True)
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
                _select_collections().where(collections.c.name == name)
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

    def comparable(self, name: str, computed: Computed) -> CollectionRecord:
        """The collection of that name, if its descriptors are among those that are computed.

        Raises:
            CollectionNotFound: There is none.
            Conflict: It holds those of another descriptor version.
        """
        collection = self.named(name)
        held, runs = collection.space, computed.spaces[0]
        if held not in computed:
            raise Conflict(
                f"collection {name!r} holds {held.descriptor} in {held.precision or '?'} by "
                f"{held.model} ({held.fingerprint[:12]}), the service computes "
                f"{', '.join(space.descriptor for space in computed.spaces)} in {runs.precision} "
                f"by {runs.model}; describe its images anew with POST /api/v2/collections/{name}"
                f"/reindex, or start the service with {computed.way_to(held)}"
            )
        return collection

    def all(self) -> list[CollectionRecord]:
        """Every collection, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(_select_collections().order_by(collections.c.name))
            return [_record(row) for row in rows]

    def delete(self, collection_id: int) -> set[str]:
        """Remove a collection with its images; returns digests of its uploads.

        Its indexes are dropped by the caller.
        """
        with self._database.writing() as connection:
            return _delete(connection, collection_id)

    def delete_expired(self, now: datetime) -> dict[str, set[str]]:
        """Remove the collections that nobody needs any more; digests of their uploads by name.

        Those are the ones whose last change is longer ago than they were made for, and for which
        no job is open.
        """
        is_busy = exists().where(
            jobs.c.collection_id == collections.c.id, jobs.c.state.in_(OPEN_STATES)
        )
        scratch = select(collections).where(collections.c.ttl_seconds.is_not(None), ~is_busy)
        with self._database.reading() as connection:
            if not any(_is_expired(row, now) for row in connection.execute(scratch)):
                return {}
        with self._database.writing() as connection:
            expired = [row for row in connection.execute(scratch).all() if _is_expired(row, now)]
            return {row.name: _delete(connection, row.id) for row in expired}


def next_revision(connection: Connection, collection_id: int) -> int:
    """Raise a collection's revision; locks it against other writers until the transaction ends.

    Raises:
        CollectionNotFound: It was deleted in the meantime.
    """
    raised = connection.execute(
        update(collections)
        .where(collections.c.id == collection_id)
        .values(revision=collections.c.revision + 1, changed_at=datetime.now(UTC))
        .returning(collections.c.revision)
    ).scalar()
    if raised is None:
        raise CollectionNotFound("the collection was deleted; create it again")
    return int(raised)


def _delete(connection: Connection, collection_id: int) -> set[str]:
    uploads = connection.execute(
        select(sources.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(images.c.collection_id == collection_id, sources.c.kind == SourceKind.UPLOAD)
        .distinct()
    ).scalars()
    digests = set(uploads)
    # A reindex with nothing left to describe would wait for its index for ever.
    close_job(
        connection,
        jobs.c.collection_id == collection_id,
        JobState.FAILED,
        "the collection was deleted",
    )
    connection.execute(delete(collections).where(collections.c.id == collection_id))
    return digests


def _is_expired(row: Row[Any], now: datetime) -> bool:
    return bool(row.changed_at + timedelta(seconds=row.ttl_seconds) <= now)


def _select_collections() -> Any:
    """Their rows with those of the indexes that are searched."""
    return (
        select_indexes()
        .add_columns(collections.c.created_at, collections.c.changed_at, collections.c.ttl_seconds)
        .where(serves)
    )


def _record(row: Row[Any]) -> CollectionRecord:
    return CollectionRecord(
        id=row.collection_id,
        name=row.collection,
        index=index_record(row),
        created_at=row.created_at,
        changed_at=row.changed_at or row.created_at,
        ttl_seconds=row.ttl_seconds,
    )
