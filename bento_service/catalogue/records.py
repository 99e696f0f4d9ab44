"""Frozen records that the catalogue returns instead of database rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.states import SourceKind
from bento_service.errors import InvalidArgument

DescriptorBatch = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Image ids (N,) and their descriptors (N, D)."""


@dataclass(frozen=True)
class DescriptorSpace:
    """The space of a collection's descriptors; only images of one space can be compared.

    `fingerprint` is the digest of the version that `descriptor` names; `model` is a model's tag,
    `precision` that of its network, `dimension` the components of a descriptor.
    """

    descriptor: str
    model: str
    fingerprint: str
    dimension: int
    precision: str

    @property
    def descriptor_bytes(self) -> int:
        """The size of a descriptor, whose components are float32."""
        return 4 * self.dimension


@dataclass(frozen=True)
class Computed:
    """The spaces that one run of the network computes; new collections get the first one."""

    spaces: tuple[DescriptorSpace, ...]

    def named(self, descriptor: str | None) -> DescriptorSpace:
        """Return the space of a descriptor version by its name; the first one for `None`."""
        for space in self.spaces:
            if descriptor in (None, space.descriptor):
                return space
        known = ", ".join(space.descriptor for space in self.spaces)
        raise InvalidArgument(f"descriptor: there is no {descriptor!r:.100}; use one of {known}")

    def __contains__(self, space: DescriptorSpace) -> bool:
        return any(own.fingerprint == space.fingerprint for own in self.spaces)

    def way_to(self, space: DescriptorSpace) -> str:
        """Name the setting, for people, with which the service computes another space."""
        if space.model == self.spaces[0].model and space.precision:
            return f"LOOKALIKE_PRECISION={space.precision}"
        return f"the model {space.model}"


@dataclass(frozen=True)
class Replacement:
    """An index of another type, built in the gallery to replace one; it has all up to `applied`."""

    name: str
    kind: str
    applied: int


@dataclass(frozen=True)
class IndexRecord:
    """An index of a collection; it lacks the changes between `applied` and `revision`.

    Attributes:
        serves: True if searches use it.
        ready: True if searches use it or used it before.
        drop_missing: True if images that it lacks are deleted when it begins to serve.
        job_number: The job that prepares or prepared it.
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
    replacement: Replacement | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of this index and its replacement in the gallery."""
        return (self.name,) if self.replacement is None else (self.name, self.replacement.name)


@dataclass(frozen=True)
class CollectionRecord:
    """A collection, with the index that searches use.

    It expires `ttl_seconds` after `changed_at`, the last change of its images; never if `None`.
    """

    id: int
    name: str
    index: IndexRecord
    created_at: datetime
    changed_at: datetime
    ttl_seconds: int | None

    @property
    def space(self) -> DescriptorSpace:
        """The space of its descriptors."""
        return self.index.space

    @property
    def expires_at(self) -> datetime | None:
        """The time at which it is deleted unless it changes before; `None` for never."""
        if self.ttl_seconds is None:
            return None
        return self.changed_at + timedelta(seconds=self.ttl_seconds)


@dataclass(frozen=True)
class RootRecord:
    """The name of an image root, and its folder without symbolic links; `None` if not known.

    `spelled` is the folder as the operator wrote it, if that differs.
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
    """A place where an image's bytes were found; `root` is empty for uploads."""

    kind: SourceKind
    root: str
    path: str


@dataclass(frozen=True)
class ImageRecord:
    """An image that is not deleted, with its sources, oldest first."""

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
    """A change of an image that an index has to apply: its unit vector (D,), or its deletion."""

    image_id: int
    revision: int
    deleted: bool
    descriptor: NDArray[np.float32]
