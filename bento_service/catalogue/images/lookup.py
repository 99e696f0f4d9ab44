"""Lookup of images and of the digests of their bytes, within a transaction."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    func,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY

from bento_service.catalogue.database import slices
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
    wanted = sorted(set(digests))
    if connection.dialect.name == "postgresql":
        values = {"collection": collection_id, "digests": wanted}
        rows = connection.execute(_EACH_DIGEST, values)
        return {sha256: image_id for sha256, image_id in rows if image_id is not None}
    statement = select(images.c.sha256, images.c.id).where(living_in(collection_id))
    return {
        row.sha256: row.id
        for some in slices(wanted)
        for row in connection.execute(statement.where(images.c.sha256.in_(some)))
    }


def upload_digests(connection: Connection, which: ColumnElement[bool]) -> set[str]:
    """Return the digests of the uploads that are sources of the images that meet a condition."""
    statement = (
        select(sources.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(sources.c.kind == SourceKind.UPLOAD, which)
        .distinct()
    )
    return set(connection.execute(statement).scalars())
