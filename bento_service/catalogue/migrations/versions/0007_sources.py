"""Modification times of files, data from manifests, and jobs that prune or run dry."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _of_jobs() -> list[sa.Column[Any]]:
    return [
        sa.Column("dry_run", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("prune", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("verify_bytes", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("manifest", sa.String(length=64), nullable=True),
        sa.Column("manifest_name", sa.LargeBinary(), nullable=True),
        sa.Column("unchanged", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("removed", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("removals_open", sa.Integer(), nullable=False, server_default=sa.text("0")),
    ]


def _of_files() -> list[sa.Column[Any]]:
    return [
        sa.Column("action", sa.String(length=8), nullable=False, server_default="add"),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("image_id", sa.BigInteger(), nullable=True),
    ]


def upgrade() -> None:
    """Apply the migration."""
    for column in _of_jobs():
        op.add_column("jobs", column)
    for column in _of_files():
        op.add_column("job_files", column)
    op.add_column("sources", sa.Column("mtime_ns", sa.BigInteger(), nullable=True))
    op.create_index("ix_sources_root_path", "sources", ["root", "path"])
    op.create_index(
        "ix_job_files_job_number_sha256_done",
        "job_files",
        ["job_number", "sha256"],
        sqlite_where=sa.text("state = 'done'"),
        postgresql_where=sa.text("state = 'done'"),
    )


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_job_files_job_number_sha256_done", "job_files")
    op.drop_index("ix_sources_root_path", "sources")
    columns = [("jobs", one.name) for one in _of_jobs()]
    columns += [("job_files", one.name) for one in _of_files()]
    # Not by Alembic: it would copy the tables, and dropping the old ones deletes referring rows.
    for table, name in [*columns, ("sources", "mtime_ns")]:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
