"""Keeping the `attributes` table equal to the images' metadata."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert

from bento_service.catalogue.tables import attributes
from bento_service.filters import values


def add_attributes(
    connection: Connection, collection_id: int, by_image: Mapping[int, Mapping[str, Any]]
) -> None:
    """Write the values of new images.

    Args:
        connection: In a writing transaction.
        collection_id: Whose images.
        by_image: Metadata by image id.
    """
    rows = [
        row
        for image_id, metadata in by_image.items()
        for row in _rows(collection_id, image_id, metadata)
    ]
    if rows:
        connection.execute(insert(attributes), rows)


def replace_attributes(
    connection: Connection, collection_id: int, image_id: int, metadata: Mapping[str, Any]
) -> None:
    """Write the values of an image whose metadata changed."""
    connection.execute(delete(attributes).where(attributes.c.image_id == image_id))
    add_attributes(connection, collection_id, {image_id: metadata})


def _rows(
    collection_id: int, image_id: int, metadata: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    for one in values.attributes(metadata):
        yield {
            "image_id": image_id,
            "collection_id": collection_id,
            "place": one.place,
            "kind": one.kind,
            "number": one.number,
            "text": one.text,
        }
