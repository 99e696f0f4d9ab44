"""Retries of jobs, idempotency keys, and an index to find uploads that failed."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type, owned_by, partial

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("retry_of", sa.String(32), index=True))
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("job_number", id_type, owned_by("jobs.number")),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    failed = partial("state = 'failed'")
    op.create_index("ix_job_files_sha256_failed", "job_files", ["sha256"], **failed)
