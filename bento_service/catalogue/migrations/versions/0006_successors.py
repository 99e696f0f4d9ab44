"""Indexes that replace others, and retired indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "successors",
        _index_id(),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("applied", sa.BigInteger, nullable=False),
    )
    op.create_table("retired_indexes", _index_id())


def _index_id() -> sa.Column[int]:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    index = sa.ForeignKey("indexes.id", ondelete="CASCADE")
    return sa.Column("index_id", number, index, primary_key=True)
