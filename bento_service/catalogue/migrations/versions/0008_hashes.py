"""Perceptual hashes of the images; those that are there already get theirs little by little."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("images", sa.Column("hashes", sa.LargeBinary(), nullable=True))
    op.create_index(
        "ix_images_id_unhashed",
        "images",
        ["id"],
        sqlite_where=sa.text("hashes IS NULL AND deleted = 0"),
        postgresql_where=sa.text("hashes IS NULL AND NOT deleted"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_images_id_unhashed", "images")
    # Alembic would copy the table, and dropping the old one deletes what refers to it.
    op.execute("ALTER TABLE images DROP COLUMN hashes")
