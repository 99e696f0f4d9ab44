"""The tables. Changes to them go through a migration in `migrations/versions`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from bento_service.catalogue.columns import FilePath, Moment, id_type, metadata, owned_by, partial
from bento_service.catalogue.states import FileAction

_LIVING = partial("NOT deleted", sqlite="deleted = 0")
_LIVING_ONCE = {**_LIVING, "unique": True}
_WITH_TEXT = partial("text IS NOT NULL")
_DONE = partial("state = 'done'")

instance = Table("instance", metadata, Column("id", String(32), primary_key=True))
"""One row: the random id of this catalogue, which its indexes' names contain."""

collections = Table(
    "collections",
    metadata,
    Column("id", id_type, primary_key=True),
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
    Column("id", id_type, primary_key=True),
    Column("collection_id", id_type, owned_by("collections.id"), nullable=False),
    Column("name", String(128), nullable=False, unique=True),
    Column("descriptor", String(64), nullable=False),
    Column("precision", String(16), nullable=False),
    Column("model", String(128), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("applied", BigInteger, nullable=False, default=0),
    Column("ready", Boolean, nullable=False),
    Column("drop_missing", Boolean, nullable=False, default=False),
    Column("job_number", id_type, ForeignKey("jobs.number", ondelete="SET NULL")),
    UniqueConstraint("collection_id", "fingerprint"),
    sqlite_autoincrement=True,
)
"""One row for each descriptor version of a collection; see `IndexRecord`."""

replacements = Table(
    "successors",
    metadata,
    Column("index_id", id_type, owned_by("indexes.id"), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("applied", BigInteger, nullable=False, default=0),
)
"""Indexes in Milvus that are built to replace others: the same descriptors, another index type."""

retired_indexes = Table(
    "retired_indexes",
    metadata,
    Column("index_id", id_type, owned_by("indexes.id"), primary_key=True),
)
"""Indexes that nothing uses any more, whose descriptors are deleted in small parts."""

images = Table(
    "images",
    metadata,
    Column("id", id_type, primary_key=True),
    Column("collection_id", id_type, owned_by("collections.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("format", String(16), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("deleted", Boolean, nullable=False, server_default=false()),
    Column("created_at", Moment, nullable=False),
    Column("hashes", LargeBinary),
    Index("ix_images_collection_id_sha256_living", "collection_id", "sha256", **_LIVING_ONCE),
    # `deleted` too: without it SQLite looks every row up, although all of them are living
    Index("ix_images_collection_id_id_living", "collection_id", "id", "deleted", **_LIVING),
    sqlite_autoincrement=True,  # an id is never used twice
)
"""A deleted row is a tombstone until every index has applied it; then it is removed.

`hashes` are perceptual hashes, eight bytes for each orientation: empty for a picture without any,
NULL until they are computed.
"""

miniatures = Table(
    "miniatures",
    metadata,
    Column("image_id", id_type, owned_by("images.id"), primary_key=True),
    Column("pixels", LargeBinary, nullable=False),
)
"""Small grey pictures; see `pictures.miniature`. Apart, so that reading images stays fast."""

descriptors = Table(
    "descriptors",
    metadata,
    Column("image_id", id_type, owned_by("images.id"), primary_key=True),
    Column("index_id", id_type, owned_by("indexes.id"), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("descriptor", LargeBinary, nullable=False),
    Index("ix_descriptors_index_id_revision_image_id", "index_id", "revision", "image_id"),
)
"""`revision` is that of the collection at the last change that the index has to apply."""

attributes = Table(
    "attributes",
    metadata,
    Column("image_id", id_type, owned_by("images.id"), nullable=False, index=True),
    Column("collection_id", id_type, nullable=False),
    Column("place", String(256), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("number", Double),
    Column("text", Text().with_variant(Text(collation="C"), "postgresql")),
    Index("ix_attributes_number", "collection_id", "place", "kind", "number", "image_id"),
    Index("ix_attributes_text", "collection_id", "place", "text", "image_id", **_WITH_TEXT),
)
"""The values of the images' metadata, one per row, so that SQL indexes answer filters."""

roots = Table(
    "roots",
    metadata,
    Column("id", id_type, primary_key=True),
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
    Column("id", id_type, primary_key=True),
    Column("image_id", id_type, owned_by("images.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("root", String(256), nullable=False),
    Column("path", FilePath, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("mtime_ns", BigInteger),
    Column("read_ns", BigInteger),
    Column("volume", String(64)),
    UniqueConstraint("image_id", "kind", "root", "path"),
    Index("ix_sources_root_path", "root", "path"),
)
"""The places where the bytes of an image were found; `root` is empty for uploads.

`mtime_ns` is the modification time of the file when it was read, if a later change is certain to
change it. `read_ns` is when it was read, in nanoseconds since 1970; `volume` is the file system
that it was on, if that is known.
"""

jobs = Table(
    "jobs",
    metadata,
    Column("number", id_type, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("collection_id", id_type, ForeignKey("collections.id", ondelete="SET NULL")),
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
    Column("follow_links", Boolean, nullable=False, server_default=false()),
    Column("manifest", String(64)),
    Column("manifest_name", FilePath),
    Column("total", Integer, nullable=False, default=0),
    Column("indexed", Integer, nullable=False, default=0),
    Column("duplicates", Integer, nullable=False, default=0),
    Column("failed", Integer, nullable=False, default=0),
    Column("unchanged", Integer, nullable=False, server_default=text("0")),
    Column("removed", Integer, nullable=False, server_default=text("0")),
    Column("removals_open", Integer, nullable=False, server_default=text("0")),
    Column("skipped", JSON(none_as_null=True)),
    Column("detail", Text),
    Column("created_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    Column("retry_of", String(32), index=True),
    Column("batch", String(64), index=True),
    Column("walker", BigInteger),
    sqlite_autoincrement=True,
)
"""`walked`: every file has its row in `job_files`, so `total` is final.

`manifest` is the digest of the stored manifest that the job processes. `removed` counts images;
`removals_open` counts the deletions of a manifest that are still to do, plus one for pruning.
`skipped` has `[code, count, first path]` of what was not looked at, NULL for nothing. `walker` is
the number of the replica that lists the job's files. `JobOptions` describes other columns.
"""

job_files = Table(
    "job_files",
    metadata,
    Column("id", id_type, primary_key=True),
    Column("job_number", id_type, owned_by("jobs.number"), nullable=False),
    Column("key", FilePath, nullable=False),
    Column("path", FilePath, nullable=False),
    Column("sha256", String(64)),
    Column("state", String(16), nullable=False),
    Column("code", String(64)),
    Column("detail", Text),
    Column("action", String(8), nullable=False, server_default=FileAction.ADD),
    Column("metadata", JSON(none_as_null=True)),
    Column("image_id", BigInteger),
    Column("leased_by", BigInteger),
    UniqueConstraint("job_number", "key"),
    Index("ix_job_files_job_number_state_id", "job_number", "state", "id"),
    # A dry run counts equal files once.
    Index("ix_job_files_job_number_sha256_done", "job_number", "sha256", **_DONE),
    Index("ix_job_files_sha256_todo", "sha256", **partial("state = 'todo'")),
    Index("ix_job_files_sha256_failed", "sha256", **partial("state = 'failed'")),
    sqlite_autoincrement=True,
)
"""Files of jobs; `key` is unique within a job: the path, or the position of an upload or a line.

`metadata` and `image_id` come from a manifest's line. `leased_by` is the number of the replica
that has taken the file to describe it; the lease ends with the replica, see `replicas`.
"""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("job_number", id_type, owned_by("jobs.number")),
    Column("created_at", Moment, nullable=False),
)
"""Keys with which callers repeat a call safely; `digest` is the digest of the request."""

replicas = Table(
    "replicas",
    metadata,
    Column("number", id_type, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("expires_at", Moment),
    sqlite_autoincrement=True,  # a number is never used twice
)
"""The running replicas of the service; `expires_at`, the end of their leases, is NULL in SQLite."""

upload_pins = Table(
    "upload_pins",
    metadata,
    Column("holder", String(32), primary_key=True),
    Column("sha256", String(64), primary_key=True, index=True),
    Column("expires_at", Moment, nullable=False),
)
"""Uploads that requests hold; `holder` is the id of a request. A pin counts until it is deleted."""

upload_removals = Table(
    "upload_removals",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("holder", String(32), nullable=False, index=True),
    Column("expires_at", Moment, nullable=False),
)
"""Uploads that are being removed; `holder` is the id of a removal."""
