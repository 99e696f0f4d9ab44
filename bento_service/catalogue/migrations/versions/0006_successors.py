"""Indexes that replace others, and retired indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "successors",
        sa.Column("index_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        _of_an_index("fk_successors_index_id"),
        sa.PrimaryKeyConstraint("index_id", name=op.f("pk_successors")),
        sa.UniqueConstraint("name", name=op.f("uq_successors_name")),
    )
    op.create_table(
        "retired_indexes",
        sa.Column("index_id", _ID, nullable=False),
        _of_an_index("fk_retired_indexes_index_id"),
        sa.PrimaryKeyConstraint("index_id", name=op.f("pk_retired_indexes")),
    )


def _of_an_index(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["index_id"], ["indexes.id"], name=op.f(name), ondelete="CASCADE"
    )


def downgrade() -> None:
    """Revert the migration; deleting the retired descriptors may take a while."""
    op.execute("DELETE FROM indexes WHERE id IN (SELECT index_id FROM retired_indexes)")
    op.drop_table("retired_indexes")
    op.drop_table("successors")
