"""Retries of jobs, idempotency keys, and an index to find uploads that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("jobs", sa.Column("retry_of", sa.String(32), index=True))
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("job_number", _ID, sa.ForeignKey("jobs.number", ondelete="CASCADE")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    has_failed = sa.text("state = 'failed'")
    op.create_index(
        "ix_job_files_sha256_failed",
        "job_files",
        ["sha256"],
        sqlite_where=has_failed,
        postgresql_where=has_failed,
    )
