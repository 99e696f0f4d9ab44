"""Modification times of files, data from manifests, and jobs that prune or run dry."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import partial

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    for name in ("dry_run", "prune", "verify_bytes"):
        flag = sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column("jobs", flag)
    op.add_column("jobs", sa.Column("manifest", sa.String(64)))
    op.add_column("jobs", sa.Column("manifest_name", sa.LargeBinary))
    for name in ("unchanged", "removed", "removals_open"):
        count = sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))
        op.add_column("jobs", count)
    action = sa.Column("action", sa.String(8), nullable=False, server_default="add")
    op.add_column("job_files", action)
    op.add_column("job_files", sa.Column("metadata", sa.JSON))
    op.add_column("job_files", sa.Column("image_id", sa.BigInteger))
    op.add_column("sources", sa.Column("mtime_ns", sa.BigInteger))
    op.create_index("ix_sources_root_path", "sources", ["root", "path"])
    columns, done = ["job_number", "sha256"], partial("state = 'done'")
    op.create_index("ix_job_files_job_number_sha256_done", "job_files", columns, **done)
