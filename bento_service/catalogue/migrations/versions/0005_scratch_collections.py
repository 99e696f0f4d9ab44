"""Collections that are deleted after a time without changes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("collections", sa.Column("ttl_seconds", sa.Integer))
    op.add_column("collections", sa.Column("changed_at", sa.DateTime(timezone=True)))
