"""The tables. Changes to them go through a migration in `migrations/versions`."""

import os
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

from client_sdk.schemas import JobState


class FilePath(TypeDecorator[str]):
    """A path as the bytes that the file system stores, since a name need not be valid UTF-8."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Convert a value for the database."""
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Convert a value from the database."""
        return None if value is None else os.fsdecode(value)


class Moment(TypeDecorator[datetime]):
    """A point in time in UTC; SQLite does not store the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value for the database."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value from the database."""
        return None if value is None else value.replace(tzinfo=UTC)


class FileState(StrEnum):
    """The state of one file of a job."""

    TODO = "todo"
    DONE = "done"
    DUPLICATE = "duplicate"
    FAILED = "failed"


class FileAction(StrEnum):
    """The action of a job on one entry of its list."""

    ADD = "add"
    DELETE = "delete"
    REFUSED = "refused"
    """No action: the entry failed when it was listed, so a retry skips it."""


class SourceKind(StrEnum):
    """The kind of place that bytes come from; `REINDEX` jobs read the sources of stored images."""

    FILE = "file"
    UPLOAD = "upload"
    REINDEX = "reindex"


OPEN_STATES = (JobState.PENDING, JobState.IN_PROGRESS)
"""States of jobs that still have work."""

_id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

instance = Table(
    "instance",
    metadata,
    Column("id", String(32), primary_key=True),
)
"""One row: the random id of this catalogue, which its indexes' names contain."""

collections = Table(
    "collections",
    metadata,
    Column("id", _id, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("index_name", String(128), nullable=False, unique=True),
    Column("revision", BigInteger, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("ttl_seconds", Integer),
    Column("changed_at", Moment),
    sqlite_autoincrement=True,
)
"""`revision` counts changes of images; `index_name` names the index that searches use.

A collection with `ttl_seconds` is deleted so long after `changed_at`, unless it has an open job.
"""

indexes = Table(
    "indexes",
    metadata,
    Column("id", _id, primary_key=True),
    Column("collection_id", _id, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(128), nullable=False, unique=True),
    Column("descriptor", String(64), nullable=False),
    Column("precision", String(16), nullable=False),
    Column("model", String(128), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("applied", BigInteger, nullable=False, default=0),
    Column("ready", Boolean, nullable=False),
    Column("drop_missing", Boolean, nullable=False, default=False),
    Column("job_number", _id, ForeignKey("jobs.number", ondelete="SET NULL")),
    UniqueConstraint("collection_id", "fingerprint"),
    sqlite_autoincrement=True,
)
"""One row for each descriptor version of a collection; `applied` is the last revision it holds.

An index is `ready` if searches use it or used it before; otherwise the job `job_number` prepares
it. With `drop_missing`, images that could not be described are deleted when it begins to serve.
"""

replacements = Table(
    "successors",
    metadata,
    Column("index_id", _id, ForeignKey("indexes.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("applied", BigInteger, nullable=False, default=0),
)
"""Indexes in Milvus that are built to replace others: the same descriptors, another index type."""

retired_indexes = Table(
    "retired_indexes",
    metadata,
    Column("index_id", _id, ForeignKey("indexes.id", ondelete="CASCADE"), primary_key=True),
)
"""Indexes that nothing uses any more, whose descriptors are deleted in small parts."""

images = Table(
    "images",
    metadata,
    Column("id", _id, primary_key=True),
    Column("collection_id", _id, ForeignKey("collections.id", ondelete="CASCADE"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("format", String(16), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False),
    Column("hashes", LargeBinary),
    sqlite_autoincrement=True,  # an id is never used twice
)
"""A deleted row is a tombstone until every index has applied it; then it is removed.

`hashes` are perceptual hashes, eight bytes for each orientation: empty for a picture without any,
NULL until they are computed.
"""

Index(
    "ix_images_collection_id_sha256_living",
    images.c.collection_id,
    images.c.sha256,
    unique=True,
    sqlite_where=~images.c.deleted,
    postgresql_where=~images.c.deleted,
)
Index(  # `deleted` too: without it SQLite looks every row up, although all of them are living
    "ix_images_collection_id_id_living",
    images.c.collection_id,
    images.c.id,
    images.c.deleted,
    sqlite_where=~images.c.deleted,
    postgresql_where=~images.c.deleted,
)
Index(
    "ix_images_id_unhashed",
    images.c.id,
    sqlite_where=images.c.hashes.is_(None) & ~images.c.deleted,
    postgresql_where=images.c.hashes.is_(None) & ~images.c.deleted,
)

descriptors = Table(
    "descriptors",
    metadata,
    Column("image_id", _id, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    Column("index_id", _id, ForeignKey("indexes.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("descriptor", LargeBinary, nullable=False),
)
"""`revision` is that of the collection at the last change that the index has to apply."""

Index(
    "ix_descriptors_index_id_revision_image_id",
    descriptors.c.index_id,
    descriptors.c.revision,
    descriptors.c.image_id,
)

attributes = Table(
    "attributes",
    metadata,
    Column("image_id", _id, ForeignKey("images.id", ondelete="CASCADE"), nullable=False),
    Column("collection_id", _id, nullable=False),
    Column("place", String(256), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("number", Double),
    Column("text", Text().with_variant(Text(collation="C"), "postgresql")),
)
"""The values of the images' metadata, one per row, so that SQL indexes answer filters."""

Index("ix_attributes_image_id", attributes.c.image_id)
Index(
    "ix_attributes_number",
    attributes.c.collection_id,
    attributes.c.place,
    attributes.c.kind,
    attributes.c.number,
    attributes.c.image_id,
)
Index(
    "ix_attributes_text",
    attributes.c.collection_id,
    attributes.c.place,
    attributes.c.text,
    attributes.c.image_id,
    sqlite_where=attributes.c.text.is_not(None),
    postgresql_where=attributes.c.text.is_not(None),
)

roots = Table(
    "roots",
    metadata,
    Column("id", _id, primary_key=True),
    Column("name", String(256), nullable=False, unique=True),
    Column("path", FilePath, unique=True),
    Column("spelled", FilePath),
)
"""The image roots by the names that sources and jobs use, each bound to one folder.

`path` is the folder without symbolic links, NULL if it is not known; `spelled` is the path as the
operator wrote it, if that differs.
"""

sources = Table(
    "sources",
    metadata,
    Column("id", _id, primary_key=True),
    Column(
        "image_id", _id, ForeignKey("images.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("kind", String(16), nullable=False),
    Column("root", String(256), nullable=False),
    Column("path", FilePath, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("mtime_ns", BigInteger),
    Column("read_ns", BigInteger),
    Column("volume", String(64)),
    UniqueConstraint("image_id", "kind", "root", "path"),
)
"""The places where the bytes of an image were found; `root` is empty for uploads.

`mtime_ns` is the modification time of the file when it was read, if a later change is certain to
change it. `read_ns` is when it was read, in nanoseconds since 1970; `volume` is the file system
that it was on, if that is known.
"""

Index("ix_sources_root_path", sources.c.root, sources.c.path)

jobs = Table(
    "jobs",
    metadata,
    Column("number", _id, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("collection_id", _id, ForeignKey("collections.id", ondelete="SET NULL")),
    Column("collection", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("root", String(256), nullable=False),
    Column("path", FilePath, nullable=False),
    Column("recursive", Boolean, nullable=False),
    Column("ignore", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("walked", Boolean, nullable=False),
    Column("dry_run", Boolean, nullable=False, server_default=false()),
    Column("prune", Boolean, nullable=False, server_default=false()),
    Column("verify_bytes", Boolean, nullable=False, server_default=false()),
    Column("manifest", String(64)),
    Column("manifest_name", FilePath),
    Column("total", Integer, nullable=False, default=0),
    Column("indexed", Integer, nullable=False, default=0),
    Column("duplicates", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("unchanged", Integer, nullable=False, server_default=text("0")),
    Column("removed", Integer, nullable=False, server_default=text("0")),
    Column("removals_open", Integer, nullable=False, server_default=text("0")),
    Column("detail", Text),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("retry_of", String(32), index=True),
    sqlite_autoincrement=True,
)
"""`walked`: every file has its row in `job_files`, so `total` is final.

`manifest` is the digest of the stored manifest that the job processes. `removed` counts images;
`removals_open` counts the deletions of a manifest that are still to do, plus one for pruning.

`retry_of` is the id of the job whose files are retried.
"""

job_files = Table(
    "job_files",
    metadata,
    Column("id", _id, primary_key=True),
    Column("job_number", _id, ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
    Column("key", FilePath, nullable=False),
    Column("path", FilePath, nullable=False),
    Column("sha256", String(64)),
    Column("state", String(16), nullable=False),
    Column("code", String(64)),
    Column("detail", Text),
    Column("action", String(8), nullable=False, server_default=FileAction.ADD),
    Column("metadata", JSON(none_as_null=True)),
    Column("image_id", BigInteger),
    UniqueConstraint("job_number", "key"),
    sqlite_autoincrement=True,
)
"""Files of jobs; `key` is unique within a job: the path, or the position of an upload or a line.

`metadata` and `image_id` come from a manifest's line.
"""

Index("ix_job_files_job_number_state_id", job_files.c.job_number, job_files.c.state, job_files.c.id)
Index(  # a dry run counts equal files once
    "ix_job_files_job_number_sha256_done",
    job_files.c.job_number,
    job_files.c.sha256,
    sqlite_where=job_files.c.state == "done",
    postgresql_where=job_files.c.state == "done",
)
Index(
    "ix_job_files_sha256_todo",
    job_files.c.sha256,
    sqlite_where=job_files.c.state == "todo",
    postgresql_where=job_files.c.state == "todo",
)
Index(
    "ix_job_files_sha256_failed",
    job_files.c.sha256,
    sqlite_where=job_files.c.state == "failed",
    postgresql_where=job_files.c.state == "failed",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("job_number", _id, ForeignKey("jobs.number", ondelete="CASCADE")),
    Column("created_at", Moment, nullable=False),
)
"""Keys with which callers repeat a call safely; `digest` is the digest of the request."""
