"""A table of the values of metadata, for filters, and an index to count living images."""

import json

import sqlalchemy as sa
from alembic import op

from bento_service.filters import values

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMAGES_A_TIME = 1000


def upgrade() -> None:
    """Apply the migration."""
    table = op.create_table(
        "attributes",
        sa.Column("image_id", _ID, nullable=False),
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("place", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column(
            "text",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=True,
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_attributes_image_id"), ondelete="CASCADE"
        ),
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
        sqlite_where=sa.text("text IS NOT NULL"),
        postgresql_where=sa.text("text IS NOT NULL"),
    )
    _index_the_living(["collection_id", "id", "deleted"])


def _index_the_living(columns: list[str]) -> None:
    op.drop_index("ix_images_collection_id_id_living", "images")
    op.create_index(
        "ix_images_collection_id_id_living",
        "images",
        columns,
        sqlite_where=sa.text("deleted = 0"),
        postgresql_where=sa.text("NOT deleted"),
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
            {
                "image_id": row.id,
                "collection_id": row.collection_id,
                "place": one.place,
                "kind": one.kind,
                "number": one.number,
                "text": one.text,
            }
            for row in rows
            for one in values.attributes(json.loads(row.metadata))
        ]
        if made:
            connection.execute(sa.insert(table), made)


def downgrade() -> None:
    """Revert the migration."""
    _index_the_living(["collection_id", "id"])
    op.drop_table("attributes")
