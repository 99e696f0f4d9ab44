"""Jobs as the catalogue gives them out and takes them: frozen records instead of rows."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import StoredHashes
from bento_service.catalogue.tables import FileAction, FileState, SourceKind
from client_sdk.schemas import JobState


@dataclass(frozen=True)
class JobRecord:
    """An ingest job as stored. `collection_id` is `None` once the collection was deleted."""

    number: int
    id: str
    collection_id: int | None
    collection: str
    kind: SourceKind
    root: str
    path: str
    recursive: bool
    ignore: tuple[str, ...]
    metadata: dict[str, Any]
    state: JobState
    walked: bool
    total: int
    indexed: int
    duplicates: int
    failed: int
    detail: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retry_of: str | None = None
    dry_run: bool = False
    prune: bool = False
    verify_bytes: bool = False
    manifest: str | None = None
    manifest_name: str | None = None
    unchanged: int = 0
    removed: int = 0
    removals_open: int = 0

    @property
    def done(self) -> int:
        """Files that were dealt with, in whatever way."""
        return self.indexed + self.duplicates + self.failed


@dataclass(frozen=True)
class Stamp:
    """What tells an unchanged file from a changed one without reading it."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class FileRecord:
    """One entry of a job's list.

    Attributes:
        sha256: Known beforehand for uploads, and where a manifest deletes by it.
        metadata: What a manifest says of the picture.
        image_id: Which image a manifest deletes.
    """

    id: int
    path: str
    sha256: str | None
    action: FileAction = FileAction.ADD
    metadata: dict[str, Any] | None = None
    image_id: int | None = None


@dataclass(frozen=True)
class FailureRecord:
    """A file of a job that could not be indexed."""

    id: int
    path: str
    code: str
    detail: str


@dataclass(frozen=True)
class NewFile:
    """An entry to put on a job's list; `key` tells those of one job apart.

    Attributes:
        stamp: Of a file that may be known already.
        volume: On which file system that is, where it is known.
        action: With `REFUSED`, `code` and `detail` say why there is nothing to do.
        metadata: What a manifest says of the picture.
        image_id: Which image a manifest deletes.
    """

    key: str
    path: str
    sha256: str | None = None
    stamp: Stamp | None = None
    volume: str | None = None
    action: FileAction = FileAction.ADD
    metadata: dict[str, Any] | None = None
    image_id: int | None = None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Described:
    """A picture ready to be committed.

    Attributes:
        descriptors: By the fingerprints of their spaces, (D,) float32, of unit length.
        hashes: `None` where they were not computed.
    """

    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    descriptors: Mapping[str, NDArray[np.float32]]
    hashes: StoredHashes | None = None


@dataclass(frozen=True)
class NewImage:
    """A described picture as the image of a collection that it is to become."""

    described: Described
    metadata: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Reading:
    """When a file was read, in nanoseconds since 1970.

    Attributes:
        read_ns: When the reading began.
        changed_ns: When the file, or what is known about it, had changed last.
        mtime_ns: When its bytes changed last, where a later change would have to show in it.
        volume: On which file system it is, where that is known.
    """

    read_ns: int
    changed_ns: int
    mtime_ns: int | None = None
    volume: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: described, known already, or failed with a reason.

    An entry that deletes has none of them: the catalogue finds out what it deletes.

    Attributes:
        described: The picture, unless it failed or was known.
        known_sha256: The bytes' digest, where the collection already held them.
        checked_sha256: The bytes' digest, where a dry run found nothing wrong with them.
        reading: When the file was read; `None` where it failed, and for uploads.
        code: Why it failed, one of the contract's error codes.
        detail: The same for people.
    """

    file: FileRecord
    described: Described | None = None
    known_sha256: str | None = None
    checked_sha256: str | None = None
    reading: Reading | None = None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class NewJob:
    """A job to create; `files` is the whole list of an upload and empty for a folder.

    Attributes:
        dry_run: Whether nothing is changed, and the job only says what would be.
        prune: Whether images go whose files below `path` are gone.
        verify_bytes: Whether files are read that seem unchanged.
        manifest: Digest of the stored manifest, whose paths begin at `path`.
        manifest_name: Of that manifest, for people.
        retry_of: The id of the job that it tries again.
    """

    kind: SourceKind
    root: str = ""
    path: str = ""
    recursive: bool = True
    ignore: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    files: tuple[NewFile, ...] = ()
    dry_run: bool = False
    prune: bool = False
    verify_bytes: bool = False
    manifest: str | None = None
    manifest_name: str | None = None
    retry_of: str | None = None


@dataclass(frozen=True)
class Claim:
    """What a caller asks for under a key, so that asking twice is asking once.

    Attributes:
        key: The caller's own.
        digest: Of the call and its body.
    """

    key: str
    digest: str


@dataclass(frozen=True)
class Settled:
    """What `FileState`s a batch of files ended in.

    Attributes:
        removed: Images that went.
        removals: Entries that delete and were dealt with.
        added: Entries that count from now on: deletions that failed.
        other_files: Entries that are other files than those indexed at their paths.
    """

    indexed: int
    duplicates: int
    failed: int
    removed: int = 0
    removals: int = 0
    added: int = 0
    other_files: int = 0

    @classmethod
    def of(cls, states: list[FileState], *, removed: int = 0, other_files: int = 0) -> "Settled":
        """Count the states of files."""
        return cls(
            indexed=states.count(FileState.DONE),
            duplicates=states.count(FileState.DUPLICATE),
            failed=states.count(FileState.FAILED),
            removed=removed,
            other_files=other_files,
        )

    @classmethod
    def of_removals(cls, states: list[FileState], *, removed: int) -> "Settled":
        """Count the states of entries that delete; those that failed are files from now on."""
        failed = states.count(FileState.FAILED)
        return cls(0, 0, failed, removed=removed, removals=len(states), added=failed)

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(*map(sum, zip(astuple(self), astuple(other), strict=True)))
