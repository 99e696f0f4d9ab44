"""Comparing two pictures, each of them sent by the caller or stored in a collection."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace, ImageRecord
from bento_service.comparison.verdict import Likeness, Lines, cosine
from bento_service.descriptors.describer import Describer
from bento_service.errors import ImageNotFound, LookalikeError, NotReady, Overloaded
from bento_service.pictures.perceptual_hash import Hashes, closeness, hashes_of, restored
from bento_service.storage.digests import stream_digest
from bento_service.storage.originals import Originals

COMPARISONS_AT_ONCE = 16
"""Pictures to compare that may wait for a decoder at once; others wait without taking a thread."""

Subject = int | BinaryIO
"""A picture to compare: the id of a stored image, or a seekable file open for reading."""


@dataclass(frozen=True)
class Compared:
    """The likeness of two pictures in a descriptor space, with warnings about the pictures."""

    likeness: Likeness
    space: DescriptorSpace
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Examined:
    """The digest, hashes and descriptor of a picture; without a descriptor it has `pixels`."""

    sha256: str
    hashes: Hashes | None
    pixels: NDArray[np.uint8] | None = None
    descriptor: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()


class Comparer:
    """The comparison of pictures by their bytes, hashes and descriptors.

    Args:
        originals: The bytes of stored images, read if a hash or descriptor is missing.
        lines: The thresholds of the computed spaces.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        originals: Originals,
        describer: Describer,
        *,
        computed: Computed,
        lines: Lines,
    ) -> None:
        self._catalogue = catalogue
        self._originals = originals
        self._describer = describer
        self._computed = computed
        self._lines = lines
        self._threads = CapacityLimiter(COMPARISONS_AT_ONCE)

    async def compare(
        self, a: Subject, b: Subject, *, collection: str, sender: str = ""
    ) -> Compared:
        """Compare two pictures.

        Args:
            a: The first picture.
            b: The second picture.
            collection: The collection whose descriptor space is used; stored images may be in any.
            sender: The caller; senders of expensive pictures take turns.

        Raises:
            CollectionNotFound, Conflict: There is no such collection, or its space is not computed.
            ImageNotFound: There is no image with that id, or its original is needed and gone.
            UnsupportedMediaType, TooLarge, ImageUnreadable, ImageTooExpensive, NotReady,
            Overloaded: See `Decoder`.
        """
        record = await asyncio.to_thread(
            self._catalogue.collections.comparable, collection, self._computed
        )
        space = record.space
        first, second = [
            await run_sync(
                partial(self._examined, name, subject, space, sender), limiter=self._threads
            )
            for name, subject in (("a", a), ("b", b))
        ]
        same_bytes = first.sha256 == second.sha256
        different = [first] if same_bytes else [first, second]
        descriptors = await self._descriptors(different, space)
        likeness = Likeness(
            score=cosine(descriptors[0], descriptors[-1]),
            same_bytes=same_bytes,
            closeness=closeness(first.hashes, second.hashes),
            lines=self._lines[space.fingerprint],
        )
        return Compared(likeness, space, first.warnings + second.warnings)

    async def _descriptors(
        self, pictures: Sequence[_Examined], space: DescriptorSpace
    ) -> list[NDArray[np.float32]]:
        pixels = [
            picture.pixels
            for picture in pictures
            if picture.descriptor is None and picture.pixels is not None
        ]
        described = iter(())
        if pixels:
            described = iter((await self._describer.describe(np.stack(pixels)))[space.fingerprint])
        return [
            next(described) if picture.descriptor is None else picture.descriptor
            for picture in pictures
        ]

    def _examined(
        self, name: str, subject: Subject, space: DescriptorSpace, sender: str
    ) -> _Examined:
        try:
            if isinstance(subject, int):
                return self._stored(name, self._catalogue.images.get(subject), space, sender)
            picture = self._describer.decode(subject, sender=sender)
            warnings = tuple(f"{name}: {warning}" for warning in picture.warnings)
            subject.seek(0)
            digest, hashes = stream_digest(subject), hashes_of(picture.pixels)
            return _Examined(digest, hashes, picture.pixels, warnings=warnings)
        except LookalikeError as error:
            raise type(error)(f"{name}: {error}") from error

    def _stored(
        self, name: str, image: ImageRecord, space: DescriptorSpace, sender: str
    ) -> _Examined:
        """Examine a stored image; read its original only if its descriptor or hash is missing."""
        descriptor = self._descriptor(image, space)
        hashes = self._catalogue.hashes.of([image.id]).get(image.id)
        if descriptor is not None and hashes is not None:
            return _Examined(image.sha256, restored(hashes), descriptor=descriptor)
        try:
            pixels = self._describer.decode(self._originals.read(image), sender=sender).pixels
        except (NotReady, Overloaded):
            raise
        except LookalikeError as error:
            if descriptor is None:
                raise
            warning = f"{name}: has no hash, because its original cannot be read ({error.code})"
            return _Examined(image.sha256, None, descriptor=descriptor, warnings=(warning,))
        return _Examined(image.sha256, hashes_of(pixels), pixels, descriptor)

    def _descriptor(self, image: ImageRecord, space: DescriptorSpace) -> NDArray[np.float32] | None:
        collection = self._catalogue.collections.named(image.collection)
        for index in self._catalogue.indexes.of(collection.id):
            if index.space.fingerprint == space.fingerprint:
                try:
                    return self._catalogue.images.descriptor(image.id, index.id)
                except ImageNotFound:  # a reindex has not described it yet, or it was just deleted
                    return None
        return None
