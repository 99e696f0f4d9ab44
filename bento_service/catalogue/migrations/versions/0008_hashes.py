"""Perceptual hashes of the images; existing images get theirs by the backfill."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("images", sa.Column("hashes", sa.LargeBinary))
    op.create_index(
        "ix_images_id_unhashed",
        "images",
        ["id"],
        sqlite_where=sa.text("hashes IS NULL AND deleted = 0"),
        postgresql_where=sa.text("hashes IS NULL AND NOT deleted"),
    )
