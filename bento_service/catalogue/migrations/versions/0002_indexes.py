"""More than one index of a collection: descriptors leave the images' rows."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type, owned_by

revision = "0002"
down_revision = "0001"

_MOVED = ("descriptor", "model", "fingerprint", "dimension", "applied")


def upgrade() -> None:
    op.create_table(
        "indexes",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("collection_id", id_type, owned_by("collections.id"), nullable=False),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("descriptor", sa.String(64), nullable=False),
        sa.Column("precision", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("applied", sa.BigInteger, nullable=False),
        sa.Column("ready", sa.Boolean, nullable=False),
        sa.Column("drop_missing", sa.Boolean, nullable=False),
        sa.Column("job_number", id_type, sa.ForeignKey("jobs.number", ondelete="SET NULL")),
        sa.UniqueConstraint("collection_id", "fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "descriptors",
        sa.Column("image_id", id_type, owned_by("images.id"), primary_key=True),
        sa.Column("index_id", id_type, owned_by("indexes.id"), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("descriptor", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "ix_descriptors_index_id_revision_image_id",
        "descriptors",
        ["index_id", "revision", "image_id"],
    )
    _move_descriptors()


def _move_descriptors() -> None:
    # Former releases did not record the precision.
    op.execute(
        "INSERT INTO indexes (collection_id, name, descriptor, precision, model, fingerprint, "
        "dimension, applied, ready, drop_missing) "
        "SELECT id, index_name, descriptor, '', model, fingerprint, dimension, applied, "
        "true, false FROM collections"
    )
    op.execute(
        "INSERT INTO descriptors (image_id, index_id, revision, descriptor) "
        "SELECT images.id, indexes.id, images.revision, images.descriptor "
        "FROM images JOIN indexes ON indexes.collection_id = images.collection_id"
    )
    op.drop_index("ix_images_collection_id_revision", "images")
    # Not by Alembic: it would copy the tables, and dropping the old ones deletes referring rows.
    for column in ("descriptor", "revision"):
        op.execute(f"ALTER TABLE images DROP COLUMN {column}")
    for column in _MOVED:
        op.execute(f"ALTER TABLE collections DROP COLUMN {column}")
