"""The `attributes` table, kept equal to the images' metadata."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete

from bento_service.catalogue.copying import insert_many
from bento_service.catalogue.tables import attributes
from bento_service.filters import values


def add_attributes(
    connection: Connection, collection_id: int, by_image: Mapping[int, Mapping[str, Any]]
) -> None:
    """Write the attributes of new images of a collection, given by their metadata."""
    rows = [
        {**vars(attribute), "image_id": image_id, "collection_id": collection_id}
        for image_id, metadata in by_image.items()
        for attribute in values.attributes(metadata)
    ]
    insert_many(connection, attributes, rows)


def replace_attributes(
    connection: Connection, collection_id: int, image_id: int, metadata: Mapping[str, Any]
) -> None:
    """Write the attributes of an image whose metadata changed."""
    connection.execute(delete(attributes).where(attributes.c.image_id == image_id))
    add_attributes(connection, collection_id, {image_id: metadata})
