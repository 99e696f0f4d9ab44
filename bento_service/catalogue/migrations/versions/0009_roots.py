"""The folders of the image roots, and the times at which sources were read.

Only the names of roots that were used before are known; see `bento_service.storage.root_bindings`.
"""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "roots",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("name", sa.String(256), nullable=False, unique=True),
        sa.Column("path", sa.LargeBinary, unique=True),
        sa.Column("spelled", sa.LargeBinary),
    )
    op.add_column("sources", sa.Column("read_ns", sa.BigInteger))
    op.add_column("sources", sa.Column("volume", sa.String(64)))
    op.execute(
        "INSERT INTO roots (name) "
        "SELECT root FROM sources WHERE kind = 'file' AND root <> '' "
        "UNION SELECT root FROM jobs WHERE kind = 'file' AND root <> ''"
    )
