"""Retries of jobs, idempotency keys, and an index to find uploads that failed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("jobs", sa.Column("retry_of", sa.String(length=32), nullable=True))
    op.create_index("ix_jobs_retry_of", "jobs", ["retry_of"])
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("job_number", _ID, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_number"],
            ["jobs.number"],
            name=op.f("fk_idempotency_keys_job_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_job_files_sha256_failed",
        "job_files",
        ["sha256"],
        sqlite_where=sa.text("state = 'failed'"),
        postgresql_where=sa.text("state = 'failed'"),
    )


def downgrade() -> None:
    """Revert the migration."""
    op.drop_index("ix_job_files_sha256_failed", "job_files")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_jobs_retry_of", "jobs")
    op.execute("ALTER TABLE jobs DROP COLUMN retry_of")
