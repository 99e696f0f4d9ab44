"""What the catalogue gives out: frozen records with names instead of database rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.tables import SourceKind
from bento_service.errors import InvalidArgument

StoredHashes = bytes
"""Perceptual hashes as `vision.hashing` stores them; empty where they say nothing."""


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
class RootRecord:
    """The name of an image root, and the folder that it is bound to; `None` where none is known.

    Attributes:
        path: Absolute, without symbolic links.
        spelled: Absolute, as the operator wrote it, where that differs.
    """

    name: str
    path: str | None
    spelled: str | None = None


@dataclass(frozen=True)
class KnownFile:
    """A file of an image root as it was when its bytes were read; `path` is below the root."""

    path: str
    bytes: int
    sha256: str
    mtime_ns: int | None


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
