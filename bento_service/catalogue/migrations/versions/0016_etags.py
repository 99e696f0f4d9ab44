"""The ETags of objects in object storage, as they were when the objects were read."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Apply the migration."""
    op.add_column("sources", sa.Column("etag", sa.String(128)))
