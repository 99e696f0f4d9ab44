"""Perceptual hashes of the images; existing images get theirs by the backfill."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("images", sa.Column("hashes", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_images_id_unhashed",
        "images",
        ["id"],
        sqlite_where=sa.text("hashes IS NULL AND deleted = 0"),
        postgresql_where=sa.text("hashes IS NULL AND NOT deleted"),
    )


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_images_id_unhashed", "images")
    # Not by Alembic: it would copy the table, and dropping the old one deletes referring rows.
    op.execute("ALTER TABLE images DROP COLUMN hashes")
