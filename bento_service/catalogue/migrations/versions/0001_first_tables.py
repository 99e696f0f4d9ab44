"""First tables."""

import sqlalchemy as sa
from alembic import op

from bento_service.catalogue.columns import id_type, owned_by, partial

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_collections()
    _create_jobs()


def _create_collections() -> None:
    op.create_table(
        "collections",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("descriptor", sa.String(64), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("dimension", sa.Integer, nullable=False),
        sa.Column("index_name", sa.String(128), nullable=False, unique=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("applied", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table("instance", sa.Column("id", sa.String(32), primary_key=True))
    op.create_table(
        "images",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("collection_id", id_type, owned_by("collections.id"), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("descriptor", sa.LargeBinary, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    living = partial("NOT deleted", sqlite="deleted = 0")
    op.create_index(
        "ix_images_collection_id_id_living", "images", ["collection_id", "id"], **living
    )
    op.create_index(
        "ix_images_collection_id_sha256_living",
        "images",
        ["collection_id", "sha256"],
        unique=True,
        **living,
    )
    op.create_index("ix_images_collection_id_revision", "images", ["collection_id", "revision"])
    op.create_table(
        "sources",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("image_id", id_type, owned_by("images.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("root", sa.String(256), nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.UniqueConstraint("image_id", "kind", "root", "path"),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", id_type, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("collection_id", id_type, sa.ForeignKey("collections.id", ondelete="SET NULL")),
        sa.Column("collection", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("root", sa.String(256), nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("recursive", sa.Boolean, nullable=False),
        sa.Column("ignore", sa.JSON, nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("walked", sa.Boolean, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("indexed", sa.Integer, nullable=False),
        sa.Column("duplicates", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job_files",
        sa.Column("id", id_type, primary_key=True),
        sa.Column("job_number", id_type, owned_by("jobs.number"), nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("path", sa.LargeBinary, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64)),
        sa.Column("detail", sa.Text),
        sa.UniqueConstraint("job_number", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_job_files_job_number_state_id", "job_files", ["job_number", "state", "id"])
    todo = partial("state = 'todo'")
    op.create_index("ix_job_files_sha256_todo", "job_files", ["sha256"], **todo)
