"""Perceptual hashes of the images; existing images get theirs by the backfill."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import partial

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("images", sa.Column("hashes", sa.LargeBinary))
    unhashed = partial("hashes IS NULL AND NOT deleted", sqlite="hashes IS NULL AND deleted = 0")
    op.create_index("ix_images_id_unhashed", "images", ["id"], **unhashed)
