"""Miniatures of the images; existing images get theirs by the backfill."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Apply the migration."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    image = sa.ForeignKey("images.id", ondelete="CASCADE")
    op.create_table(
        "miniatures",
        sa.Column("image_id", number, image, primary_key=True),
        sa.Column("pixels", sa.LargeBinary, nullable=False),
    )
    op.drop_index("ix_images_id_unhashed", "images")
