"""More than one index of a collection: descriptors leave the images' rows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOVED = ("descriptor", "model", "fingerprint", "dimension", "applied")


def upgrade() -> None:
    """Apply the migration."""
    op.create_table(
        "indexes",
        sa.Column("id", _ID, primary_key=True),
        sa.Column(
            "collection_id",
            _ID,
            sa.ForeignKey("collections.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("descriptor", sa.String(64), nullable=False),
        sa.Column("precision", sa.String(16), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("applied", sa.BigInteger, nullable=False),
        sa.Column("ready", sa.Boolean, nullable=False),
        sa.Column("drop_missing", sa.Boolean, nullable=False),
        sa.Column("job_number", _ID, sa.ForeignKey("jobs.number", ondelete="SET NULL")),
        sa.UniqueConstraint("collection_id", "fingerprint"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "descriptors",
        *(
            sa.Column(
                f"{name}_id",
                _ID,
                sa.ForeignKey(f"{table}.id", ondelete="CASCADE"),
                primary_key=True,
            )
            for name, table in (("image", "images"), ("index", "indexes"))
        ),
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
