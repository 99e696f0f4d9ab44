"""Replicas of the service on one catalogue, and what each of them has leased."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "replicas",
        sa.Column("number", id_type, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.add_column("jobs", sa.Column("walker", sa.BigInteger))
    op.add_column("job_files", sa.Column("leased_by", sa.BigInteger))
