"""The folders of the image roots, and the times at which sources were read.

Only the names of roots that were used before are known; see `bento_service.storage.root_bindings`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "roots",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=True),
        sa.Column("spelled", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roots")),
        sa.UniqueConstraint("name", name=op.f("uq_roots_name")),
        sa.UniqueConstraint("path", name=op.f("uq_roots_path")),
    )
    op.add_column("sources", sa.Column("read_ns", sa.BigInteger(), nullable=True))
    op.add_column("sources", sa.Column("volume", sa.String(length=64), nullable=True))
    op.execute(
        "INSERT INTO roots (name) "
        "SELECT root FROM sources WHERE kind = 'file' AND root <> '' "
        "UNION SELECT root FROM jobs WHERE kind = 'file' AND root <> ''"
    )


def downgrade() -> None:
    """Revert the migration."""
    # Not by Alembic: it would copy the table, and dropping the old one deletes referring rows.
    for column in ("volume", "read_ns"):
        op.execute(f"ALTER TABLE sources DROP COLUMN {column}")
    op.drop_table("roots")
