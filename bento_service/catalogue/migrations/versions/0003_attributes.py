"""A table of the values of metadata, for filters, and an index to count living images."""

import json

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type, owned_by, partial
from bento_service.filters import values

revision = "0003"
down_revision = "0002"

_IMAGES_A_TIME = 1000


def upgrade() -> None:
    table = op.create_table(
        "attributes",
        sa.Column("image_id", id_type, owned_by("images.id"), nullable=False),
        sa.Column("collection_id", id_type, nullable=False),
        sa.Column("place", sa.String(256), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("number", sa.Double),
        sa.Column("text", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")),
    )
    _fill(op.get_bind(), table)
    op.create_index("ix_attributes_image_id", "attributes", ["image_id"])
    op.create_index(
        "ix_attributes_number",
        "attributes",
        ["collection_id", "place", "kind", "number", "image_id"],
    )
    op.create_index(
        "ix_attributes_text",
        "attributes",
        ["collection_id", "place", "text", "image_id"],
        **partial("text IS NOT NULL"),
    )
    op.drop_index("ix_images_collection_id_id_living", "images")
    op.create_index(
        "ix_images_collection_id_id_living",
        "images",
        ["collection_id", "id", "deleted"],
        **partial("NOT deleted", sqlite="deleted = 0"),
    )


def _fill(connection: sa.Connection, table: sa.Table) -> None:
    """Fill the table with the attributes of the existing images."""
    some = sa.text(
        "SELECT id, collection_id, CAST(metadata AS TEXT) AS metadata FROM images "
        "WHERE id > :after AND NOT deleted ORDER BY id LIMIT :limit"
    )
    after = 0
    while rows := connection.execute(some, {"after": after, "limit": _IMAGES_A_TIME}).all():
        after = rows[-1].id
        made = [
            {"image_id": row.id, "collection_id": row.collection_id, **vars(attribute)}
            for row in rows
            for attribute in values.attributes(json.loads(row.metadata))
        ]
        if made:
            connection.execute(sa.insert(table), made)
