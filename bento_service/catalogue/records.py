"""What the catalogue gives out: frozen records with names instead of database rows."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.tables import FileAction, FileState, SourceKind
from bento_service.errors import InvalidArgument
from client_sdk.schemas import JobState


@dataclass(frozen=True)
class DescriptorSpace:
    """What a collection's descriptors are: images can be compared only within one.

    Attributes:
        descriptor: Name of the descriptor version.
        model: Tag of the model.
        fingerprint: Digest of the descriptor version.
        dimension: D, components of a descriptor.
        precision: In which it is computed.
    """

    descriptor: str
    model: str
    fingerprint: str
    dimension: int
    precision: str


@dataclass(frozen=True)
class Computed:
    """What the running service computes from a picture, in one run of the network.

    Attributes:
        spaces: All of them; new collections get the first unless another one is named.
    """

    spaces: tuple[DescriptorSpace, ...]

    def named(self, descriptor: str | None) -> DescriptorSpace:
        """The space of a descriptor, the first where none is named.

        Raises:
            InvalidArgument: There is none of that name.
        """
        for space in self.spaces:
            if descriptor in (None, space.descriptor):
                return space
        known = ", ".join(space.descriptor for space in self.spaces)
        raise InvalidArgument(f"descriptor: there is no {descriptor!r:.100}; use one of {known}")

    def __contains__(self, space: DescriptorSpace) -> bool:
        return any(own.fingerprint == space.fingerprint for own in self.spaces)

    def way_to(self, space: DescriptorSpace) -> str:
        """Which setting makes the service compute another space, for people."""
        if space.model == self.spaces[0].model and space.precision:
            return f"LOOKALIKE_PRECISION={space.precision}"
        return f"the model {space.model}"


@dataclass(frozen=True)
class Successor:
    """What is built in Milvus to take the place of an index.

    Attributes:
        name: In Milvus.
        kind: Of index, in Milvus' words.
        applied: Up to which revision it holds the collection's changes.
    """

    name: str
    kind: str
    applied: int


@dataclass(frozen=True)
class IndexRecord:
    """An index of a collection; `revision - applied` tells how far it is behind.

    Attributes:
        name: In Milvus.
        revision: The collection's.
        applied: Up to which it holds the collection's changes.
        serves: Whether searches use it.
        ready: Whether they do or did.
        drop_missing: Whether images that it lacks are deleted when it begins to serve.
        job_number: The job that prepares it, or did.
        successor: What is to take its place in Milvus.
    """

    id: int
    collection_id: int
    collection: str
    name: str
    space: DescriptorSpace
    revision: int
    applied: int
    serves: bool
    ready: bool
    drop_missing: bool
    job_number: int | None
    successor: Successor | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All that is its own in Milvus."""
        return (self.name,) if self.successor is None else (self.name, self.successor.name)


@dataclass(frozen=True)
class CollectionRecord:
    """A collection, with the index that searches use.

    Attributes:
        changed_at: When something was last put into it, taken out or changed.
        ttl_seconds: How long after that it is deleted; `None` for never.
    """

    id: int
    name: str
    index: IndexRecord
    created_at: datetime
    changed_at: datetime
    ttl_seconds: int | None

    @property
    def space(self) -> DescriptorSpace:
        """What its descriptors are."""
        return self.index.space

    @property
    def expires_at(self) -> datetime | None:
        """When it is deleted if it is left alone."""
        if self.ttl_seconds is None:
            return None
        return self.changed_at + timedelta(seconds=self.ttl_seconds)


@dataclass(frozen=True)
class SourceRecord:
    """One place where an image's bytes were found; `root` is empty for uploads."""

    kind: SourceKind
    root: str
    path: str


@dataclass(frozen=True)
class ImageRecord:
    """A living image with its sources, oldest first."""

    id: int
    collection: str
    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    metadata: dict[str, Any]
    created_at: datetime
    sources: tuple[SourceRecord, ...]


@dataclass(frozen=True)
class Change:
    """A change of an image that an index has to apply.

    Attributes:
        descriptor: (D,) float32, of unit length.
        deleted: Whether the image is to leave the index.
    """

    image_id: int
    revision: int
    deleted: bool
    descriptor: NDArray[np.float32]


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
        action: With `REFUSED`, `code` and `detail` say why there is nothing to do.
        metadata: What a manifest says of the picture.
        image_id: Which image a manifest deletes.
    """

    key: str
    path: str
    sha256: str | None = None
    stamp: Stamp | None = None
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
    """

    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    descriptors: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class NewImage:
    """A described picture as the image of a collection that it is to become."""

    described: Described
    metadata: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: described, known already, or failed with a reason.

    An entry that deletes has none of them: the catalogue finds out what it deletes.

    Attributes:
        described: The picture, unless it failed or was known.
        known_sha256: The bytes' digest, where the collection already held them.
        checked_sha256: The bytes' digest, where a dry run found nothing wrong with them.
        mtime_ns: When the file changed last, where a later change would have to show in it.
        code: Why it failed, one of the contract's error codes.
        detail: The same for people.
    """

    file: FileRecord
    described: Described | None = None
    known_sha256: str | None = None
    checked_sha256: str | None = None
    mtime_ns: int | None = None
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
    """

    indexed: int
    duplicates: int
    failed: int
    removed: int = 0
    removals: int = 0
    added: int = 0

    @classmethod
    def of(cls, states: list[FileState], *, removed: int = 0) -> "Settled":
        """Count the states of files."""
        return cls(
            indexed=states.count(FileState.DONE),
            duplicates=states.count(FileState.DUPLICATE),
            failed=states.count(FileState.FAILED),
            removed=removed,
        )

    @classmethod
    def of_removals(cls, states: list[FileState], *, removed: int) -> "Settled":
        """Count the states of entries that delete; those that failed are files from now on."""
        failed = states.count(FileState.FAILED)
        return cls(0, 0, failed, removed=removed, removals=len(states), added=failed)

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(*map(sum, zip(astuple(self), astuple(other), strict=True)))
