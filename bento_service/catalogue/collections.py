"""Collections: named galleries, searched in one descriptor space each."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, insert, select
from sqlalchemy.exc import IntegrityError

from bento_service.catalogue.database import TableGroup
from bento_service.catalogue.images.lookup import upload_digests
from bento_service.catalogue.indexes import (
    add_index,
    index_record,
    instance_id,
    new_index_name,
    select_indexes,
    serves,
)
from bento_service.catalogue.jobs.rows import close_jobs
from bento_service.catalogue.records import CollectionRecord, Computed, DescriptorSpace
from bento_service.catalogue.revisions import lock_collection
from bento_service.catalogue.states import OPEN_STATES
from bento_service.catalogue.tables import collections, images, jobs
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument
from client_sdk.schemas import JobState

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def _select_collections() -> Any:
    return (
        select_indexes()
        .add_columns(collections.c.created_at, collections.c.changed_at, collections.c.ttl_seconds)
        .where(serves)
    )


# Built once: every search reads its collection, and building this takes longer than running it.
_NAMED = _select_collections().where(collections.c.name == bindparam("name"))


class Collections(TableGroup):
    """The `collections` table; methods raise `CollectionNotFound` if there is no such name."""

    def instance_id(self) -> str:
        """Return the random id of this catalogue, which is unique on a Milvus server."""
        with self._database.writing() as connection:
            return instance_id(connection)

    def create(
        self, name: str, space: DescriptorSpace, *, ttl_seconds: int | None = None
    ) -> CollectionRecord:
        """Create a collection, which expires `ttl_seconds` after its last change; never if `None`.

        Raise `Conflict` for a name that is taken, `InvalidArgument` for one that is not allowed.
        """
        if not _NAME.fullmatch(name):
            raise InvalidArgument(
                f"collection: {name[:200]!r} cannot be a name; use up to 128 letters, digits, "
                "'-', '_' and '.', beginning with a letter or digit"
            )
        now = datetime.now(UTC)
        try:
            with self._database.writing() as connection:
                index_name = new_index_name(connection)
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
        """Return the collection of that name; create it if there is none."""
        try:
            return self.named(name)
        except CollectionNotFound:
            pass
        try:
            return self.create(name, space)
        except Conflict:  # another thread was faster
            return self.named(name)

    def named(self, name: str) -> CollectionRecord:
        """Return the collection of that name."""
        # PostgreSQL rejects texts with NUL, which cannot be names either.
        rows = self._database.rows(_NAMED, {"name": name}) if _NAME.fullmatch(name) else ()
        if rows:
            return _record(rows[0])
        names = select(collections.c.name).order_by(collections.c.name).limit(20)
        known = ", ".join(self._database.scalars(names))
        raise CollectionNotFound(
            f"collection {name!r} does not exist; create it or use one of: {known}"
        )

    def comparable(self, name: str, computed: Computed) -> CollectionRecord:
        """Return a collection, or raise `Conflict` if the service does not compute its space."""
        collection = self.named(name)
        space, own = collection.space, computed.spaces[0]
        if space not in computed:
            raise Conflict(
                f"collection {name!r} holds {space.descriptor} in {space.precision or '?'} by "
                f"{space.model} ({space.fingerprint[:12]}), the service computes "
                f"{', '.join(each.descriptor for each in computed.spaces)} in {own.precision} "
                f"by {own.model}; describe its images again with POST /api/v2/collections/{name}"
                f"/reindex, or start the service with {computed.way_to(space)}"
            )
        return collection

    def all(self) -> list[CollectionRecord]:
        """Return every collection, by name."""
        statement = _select_collections().order_by(collections.c.name)
        return list(map(_record, self._database.rows(statement)))

    def delete(self, collection_id: int) -> set[str]:
        """Delete a collection with its images; return the digests of its uploads.

        The caller has its indexes dropped from the gallery.
        """
        with self._database.writing() as connection:
            return _delete(connection, collection_id)

    def delete_expired(self, now: datetime) -> dict[str, set[str]]:
        """Delete the expired collections without open jobs; return digests of uploads by name."""
        is_busy = exists().where(
            jobs.c.collection_id == collections.c.id, jobs.c.state.in_(OPEN_STATES)
        )
        can_expire = and_(collections.c.ttl_seconds.is_not(None), ~is_busy)
        scratch = select(collections).where(can_expire).order_by(collections.c.id)
        # Most calls find nothing, and reading does not wait for other writers.
        if not any(_is_expired(row, now) for row in self._database.rows(scratch)):
            return {}
        with self._database.writing() as connection:
            expired = [row for row in connection.execute(scratch).all() if _is_expired(row, now)]
            return {row.name: _delete(connection, row.id) for row in expired}


def _delete(connection: Connection, collection_id: int) -> set[str]:
    lock_collection(connection, collection_id)
    digests = upload_digests(connection, images.c.collection_id == collection_id)
    # A reindex with nothing left to describe would wait forever for its index.
    own = jobs.c.collection_id == collection_id
    close_jobs(connection, own, JobState.FAILED, "the collection was deleted")
    connection.execute(delete(collections).where(collections.c.id == collection_id))
    return digests


def _is_expired(row: Row[Any], now: datetime) -> bool:
    return bool(row.changed_at + timedelta(seconds=row.ttl_seconds) <= now)


def _record(row: Row[Any]) -> CollectionRecord:
    return CollectionRecord(
        id=row.collection_id,
        name=row.collection,
        index=index_record(row),
        created_at=row.created_at,
        changed_at=row.changed_at or row.created_at,
        ttl_seconds=row.ttl_seconds,
    )
