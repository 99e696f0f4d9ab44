"""Indexes that replace others, and retired indexes."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type, owned_by

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "successors",
        sa.Column("index_id", id_type, owned_by("indexes.id"), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("applied", sa.BigInteger, nullable=False),
    )
    index_id = sa.Column("index_id", id_type, owned_by("indexes.id"), primary_key=True)
    op.create_table("retired_indexes", index_id)
