"""Frozen records of jobs, their files and results, instead of database rows."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import SourceRecord
from bento_service.catalogue.states import FileAction, FileState, SourceKind
from client_sdk.schemas import JobState

Stored = bytes
"""Hashes or a miniature as `bento_service.pictures` stores them."""


@dataclass(frozen=True)
class JobOptions:
    """The work that a job is to do.

    Attributes:
        dry_run: True if the job only reports what it would change.
        prune: True if images are deleted whose files below `path` are gone.
        verify_bytes: True if files are read although they seem unchanged.
        manifest: Digest of the stored manifest, whose paths begin at `path`.
        manifest_name: The manifest's file name, for people.
        follow_links: True if symbolic links that stay under the root are followed.
        retry_of: The id of the job that it retries.
        batch: The caller's name of the upload that it is a part of.
    """

    kind: SourceKind
    root: str = ""
    path: str = ""
    recursive: bool = True
    ignore: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    prune: bool = False
    verify_bytes: bool = False
    follow_links: bool = False
    manifest: str | None = None
    manifest_name: str | None = None
    retry_of: str | None = None
    batch: str | None = None


@dataclass(frozen=True)
class SkippedRecord:
    """Entries that a job did not look at: the reason's code, their number and the first path."""

    code: str
    count: int
    first: str


@dataclass(frozen=True)
class NewJob(JobOptions):
    """A job to create; `files` is the whole list of an upload and empty for a folder."""

    files: tuple["NewFile", ...] = ()
    skipped: tuple[SkippedRecord, ...] = ()

    @property
    def uploads(self) -> set[str]:
        """The digests of the stored uploads that it reads."""
        files = self.files if self.kind is SourceKind.UPLOAD else ()
        return {each for each in (self.manifest, *(file.sha256 for file in files)) if each}


@dataclass(frozen=True, kw_only=True)
class JobRecord(JobOptions):
    """An ingest job as stored. `collection_id` is `None` once the collection was deleted."""

    number: int
    id: str
    collection_id: int | None
    collection: str
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
    unchanged: int = 0
    removed: int = 0
    removals_open: int = 0
    skipped: tuple[SkippedRecord, ...] = ()

    @property
    def done(self) -> int:
        """The number of files that are indexed, known or failed."""
        return self.indexed + self.duplicates + self.failed


@dataclass(frozen=True)
class Stamp:
    """The size and modification time of a file, which show a change."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class FileRecord:
    """One entry of a job's list.

    Attributes:
        sha256: Digest of an upload before it is read, or of a deletion by digest.
        metadata: Metadata from a manifest's line.
        image_id: The image that a manifest's line deletes.
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
    """An entry to put on a job's list; `key` is unique within a job. See also `FileRecord`.

    Attributes:
        stamp: Stamp of a file that may be indexed already.
        volume: The file system that the file is on, if that is known.
        action: Action on the entry; with `REFUSED`, `code` and `detail` give the reason.
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
    """A described picture, ready to be committed.

    Attributes:
        descriptors: Unit vectors (D,) float32, by the fingerprints of their spaces.
        hashes: Perceptual hashes; empty without any, `None` if they were not computed.
        miniature: The picture in grey and small; `None` if it was not computed.
    """

    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    descriptors: Mapping[str, NDArray[np.float32]]
    hashes: Stored | None = None
    miniature: Stored | None = None


@dataclass(frozen=True)
class NewImage:
    """A described picture that becomes an image; `sources` if the places of its bytes are known."""

    described: Described
    metadata: dict[str, Any]
    created_at: datetime
    sources: tuple[SourceRecord, ...] = ()

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return self.described.sha256


@dataclass(frozen=True)
class Reading:
    """The time `read_ns` at which the reading of a file began, in nanoseconds since 1970.

    Attributes:
        changed_ns: The time at which the file or its metadata last changed.
        mtime_ns: The file's mtime, if a later change is certain to alter it.
        volume: The file system that it is on, if that is known.
    """

    read_ns: int
    changed_ns: int
    mtime_ns: int | None = None
    volume: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of one entry: described, known already, or failed; nothing of it for a deletion.

    Attributes:
        known_sha256: The digest of bytes that the collection has already.
        checked_sha256: The digest of bytes that a dry run could decode.
        reading: The time of reading; `None` if the file failed, and for uploads.
        code: The error code of the contract, if it failed, with the reason in `detail`.
    """

    file: FileRecord
    described: Described | None = None
    known_sha256: str | None = None
    checked_sha256: str | None = None
    reading: Reading | None = None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Claim:
    """A caller's idempotency key, and the digest of the request that it stands for."""

    key: str
    digest: str


@dataclass(frozen=True)
class Settled:
    """The number of files of a batch that ended in each `FileState`.

    Attributes:
        removed: Images that were deleted.
        removals: Entries that delete and are done.
        added: Deletions that failed, and count as files from now on.
        other_files: Entries that are other files than those indexed at their paths.
    """

    indexed: int = 0
    duplicates: int = 0
    failed: int = 0
    removed: int = 0
    removals: int = 0
    added: int = 0
    other_files: int = 0

    @classmethod
    def of(
        cls, states: Sequence[FileState], *, removed: int = 0, other_files: int = 0
    ) -> "Settled":
        """Return the counts of files' states."""
        return cls(
            indexed=states.count(FileState.DONE),
            duplicates=states.count(FileState.DUPLICATE),
            failed=states.count(FileState.FAILED),
            removed=removed,
            other_files=other_files,
        )

    @classmethod
    def of_removals(cls, states: Sequence[FileState], *, removed: int) -> "Settled":
        """Return the counts of the states of entries that delete."""
        failed = states.count(FileState.FAILED)
        return cls(0, 0, failed, removed=removed, removals=len(states), added=failed)

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(*map(sum, zip(astuple(self), astuple(other), strict=True)))
