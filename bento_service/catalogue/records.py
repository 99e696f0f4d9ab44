"""What the catalogue gives out: frozen records with names instead of database rows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.tables import FileState, SourceKind
from client_sdk.schemas import JobState


@dataclass(frozen=True)
class DescriptorSpace:
    """What a collection's descriptors are: images can be compared only within one.

    Attributes:
        descriptor: Name of the descriptor version.
        model: Tag of the model.
        fingerprint: Digest of the descriptor version.
        dimension: D, components of a descriptor.
    """

    descriptor: str
    model: str
    fingerprint: str
    dimension: int


@dataclass(frozen=True)
class CollectionRecord:
    """A collection; `revision - applied` tells how far the index is behind."""

    id: int
    name: str
    space: DescriptorSpace
    index_name: str
    revision: int
    applied: int
    created_at: datetime


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

    @property
    def done(self) -> int:
        """Files that were dealt with, in whatever way."""
        return self.indexed + self.duplicates + self.failed


@dataclass(frozen=True)
class FileRecord:
    """One file of a job. `sha256` is known beforehand for uploads only."""

    id: int
    path: str
    sha256: str | None


@dataclass(frozen=True)
class FailureRecord:
    """A file of a job that could not be indexed."""

    id: int
    path: str
    code: str
    detail: str


@dataclass(frozen=True)
class NewFile:
    """A file to put on a job's list; `key` tells the files of one job apart."""

    key: str
    path: str
    sha256: str | None = None


@dataclass(frozen=True)
class Described:
    """A picture ready to be committed.

    Attributes:
        descriptor: (D,) float32, of unit length.
    """

    sha256: str
    format: str
    width: int
    height: int
    bytes: int
    descriptor: NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What became of one file: described, known already, or failed with a reason.

    Attributes:
        described: The picture, unless it failed or was known.
        known_sha256: The bytes' digest, where the collection already held them.
        code: Why it failed, one of the contract's error codes.
        detail: The same for people.
    """

    file: FileRecord
    described: Described | None = None
    known_sha256: str | None = None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class NewJob:
    """A job to create; `files` is the whole list of an upload and empty for a folder."""

    kind: SourceKind
    root: str = ""
    path: str = ""
    recursive: bool = True
    ignore: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    files: tuple[NewFile, ...] = ()


@dataclass(frozen=True)
class Settled:
    """What `FileState`s a batch of files ended in."""

    indexed: int
    duplicates: int
    failed: int

    @classmethod
    def of(cls, states: list[FileState]) -> "Settled":
        """Count the states."""
        return cls(
            indexed=states.count(FileState.DONE),
            duplicates=states.count(FileState.DUPLICATE),
            failed=states.count(FileState.FAILED),
        )
