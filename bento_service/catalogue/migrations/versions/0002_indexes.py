"""More than one index of a collection: descriptors leave the images' rows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOVED = ("descriptor", "model", "fingerprint", "dimension", "applied")


def upgrade() -> None:
    """Apply the migration."""
    _create_indexes()
    _create_descriptors()
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


def _create_indexes() -> None:
    op.create_table(
        "indexes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("collection_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("descriptor", sa.String(length=64), nullable=False),
        sa.Column("precision", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("applied", sa.BigInteger(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("drop_missing", sa.Boolean(), nullable=False),
        sa.Column("job_number", _ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_indexes_collection_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_number"],
            ["jobs.number"],
            name=op.f("fk_indexes_job_number"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indexes")),
        sa.UniqueConstraint(
            "collection_id", "fingerprint", name=op.f("uq_indexes_collection_id_fingerprint")
        ),
        sa.UniqueConstraint("name", name=op.f("uq_indexes_name")),
        sqlite_autoincrement=True,
    )


def _create_descriptors() -> None:
    op.create_table(
        "descriptors",
        sa.Column("image_id", _ID, nullable=False),
        sa.Column("index_id", _ID, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("descriptor", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["image_id"],
            ["images.id"],
            name=op.f("fk_descriptors_image_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["index_id"],
            ["indexes.id"],
            name=op.f("fk_descriptors_index_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("image_id", "index_id", name=op.f("pk_descriptors")),
    )
    op.create_index(
        "ix_descriptors_index_id_revision_image_id",
        "descriptors",
        ["index_id", "revision", "image_id"],
        unique=False,
    )


def downgrade() -> None:
    """Raise, since this migration cannot be reverted.

    Raises:
        NotImplementedError: The older program has no place for this data.
    """
    raise NotImplementedError("restore the copy of the catalogue from before")
