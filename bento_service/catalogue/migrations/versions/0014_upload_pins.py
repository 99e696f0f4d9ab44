"""Pins of uploads that are being received, and claims of those that are being removed."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "upload_pins",
        sa.Column("holder", sa.String(32), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True, index=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "upload_removals",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(32), nullable=False, index=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
