"""Lookup of images and of the digests of their bytes, within a transaction."""

import os
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, bindparam, func, select, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY

from bento_service.catalogue.database import rows_in
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import images, sources


def living_in(collection_id: Any) -> ColumnElement[bool]:
    """Return the condition that an image is in a collection and not deleted."""
    return and_(images.c.collection_id == collection_id, ~images.c.deleted)


# Statements are built once: they run for each file of every job, and building them takes as long.
_WITH_DIGEST = select(images.c.id).where(
    living_in(bindparam("collection")), images.c.sha256 == bindparam("digest")
)
_wanted = func.unnest(bindparam("digests", type_=ARRAY(String))).column_valued("wanted")
_EACH_DIGEST = select(
    _wanted,
    select(images.c.id)
    .where(living_in(bindparam("collection")), images.c.sha256 == type_coerce(_wanted, String))
    .scalar_subquery(),
)


def begins_with(prefix: str) -> ColumnElement[bool]:
    """Return the condition that a source's path has a prefix: a range, as paths are bytes."""
    end = os.fsdecode(os.fsencode(prefix) + b"\xff" * 256)  # no name of a file is so long
    return and_(sources.c.path >= prefix, sources.c.path <= end)


def id_of(connection: Connection, collection_id: int, sha256: str) -> int | None:
    """Return the id of the image of a collection that has this digest, `None` without one."""
    values = {"collection": collection_id, "digest": sha256}
    image_id: int | None = connection.execute(_WITH_DIGEST, values).scalar()
    return image_id


def ids_by_digest(
    connection: Connection, collection_id: int, digests: Iterable[str]
) -> dict[str, int]:
    """Return the ids of those images of a collection that have one of these digests.

    PostgreSQL looks each digest up by itself. Given them as a list, it reads the whole collection
    as long as it has no statistics of its size, such as during its first import.
    """
    if connection.dialect.name == "postgresql":
        values = {"collection": collection_id, "digests": sorted(set(digests))}
        found = connection.execute(_EACH_DIGEST, values)
        return {sha256: image_id for sha256, image_id in found if image_id is not None}
    statement = select(images.c.sha256, images.c.id).where(living_in(collection_id))
    rows = rows_in(connection, statement, images.c.sha256, digests)
    return {row.sha256: row.id for row in rows}


def upload_digests(connection: Connection, which: ColumnElement[bool]) -> set[str]:
    """Return the digests of the uploads that are sources of the images that meet a condition."""
    statement = (
        select(sources.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(sources.c.kind == SourceKind.UPLOAD, which)
        .distinct()
    )
    return set(connection.execute(statement).scalars())
