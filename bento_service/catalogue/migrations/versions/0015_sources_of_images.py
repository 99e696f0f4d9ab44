"""One index of the sources of images: the unique one begins with the same column."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.drop_index("ix_sources_image_id", "sources")
