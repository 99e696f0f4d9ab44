"""Miniatures of the images; existing images get theirs by the backfill."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type, owned_by

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "miniatures",
        sa.Column("image_id", id_type, owned_by("images.id"), primary_key=True),
        sa.Column("pixels", sa.LargeBinary, nullable=False),
    )
    op.drop_index("ix_images_id_unhashed", "images")
