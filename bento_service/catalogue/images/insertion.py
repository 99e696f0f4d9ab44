"""Insertion of described images with their attributes, miniatures and descriptors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select, text

from bento_service.catalogue.copying import insert_many
from bento_service.catalogue.images.attributes import add_attributes
from bento_service.catalogue.indexes import indexes_of
from bento_service.catalogue.jobs.records import Described, NewImage
from bento_service.catalogue.tables import descriptors, images, miniatures
from bento_service.errors import Conflict


def add_images(
    connection: Connection, collection_id: int, revision: int, new: Sequence[NewImage]
) -> dict[str, int]:
    """Write new images in a few statements for any number of them; return their ids by digest.

    The collection has none of these digests. Ids rise in the order of the images, which is also the
    order of equal scores.
    """
    if not new:
        return {}
    described = [image.described for image in new]
    ids = _next_ids(connection, len(new))
    added = dict(zip((image.sha256 for image in new), ids, strict=True))
    vectors = descriptor_rows(connection, described, added, collection_id, revision)
    small = [
        {"image_id": added[picture.sha256], "pixels": picture.miniature}
        for picture in described
        if picture.miniature is not None
    ]
    metadata = {added[image.sha256]: image.metadata for image in new}
    rows = [_row(collection_id, added[image.sha256], image) for image in new]
    insert_many(connection, images, rows)
    insert_many(connection, descriptors, vectors)
    insert_many(connection, miniatures, small)
    add_attributes(connection, collection_id, metadata)
    return added


def _next_ids(connection: Connection, count: int) -> list[int]:
    """Return ids that no image has or had, in rising order."""
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(images.name, images.c.id.name)
        numbers = func.generate_series(1, count).table_valued("number")
        return list(connection.scalars(select(func.nextval(sequence)).select_from(numbers)))
    statement = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    last = connection.scalar(statement, {"table": images.name}) or 0
    return list(range(last + 1, last + count + 1))


def _row(collection_id: int, image_id: int, new: NewImage) -> dict[str, Any]:
    own = {"id": image_id, "collection_id": collection_id}
    row = {**vars(new.described), **vars(new), **own}
    return {column.name: row[column.name] for column in images.c if column.name in row}


def descriptor_rows(
    connection: Connection,
    described: Sequence[Described],
    image_ids: Mapping[str, int],
    collection_id: int,
    revision: int,
    *,
    reindexed: bool = False,
) -> list[dict[str, Any]]:
    """Return the images' descriptors for every index of the collection whose version they have.

    Raise `Conflict` if they lack the version that serves, and are not `reindexed` for another one.
    """
    rows = []
    for index in indexes_of(connection, collection_id) if described else ():
        version = index.space.fingerprint
        having = [picture for picture in described if version in picture.descriptors]
        if index.serves and not reindexed and len(having) < len(described):
            raise Conflict(
                f"collection {index.collection!r} now holds {index.space.descriptor} in "
                f"{index.space.precision}, which this service does not compute"
            )
        rows += [
            {
                "image_id": image_ids[picture.sha256],
                "index_id": index.id,
                "revision": revision,
                "descriptor": np.asarray(picture.descriptors[version], "<f4").tobytes(),
            }
            for picture in having
        ]
    return rows
