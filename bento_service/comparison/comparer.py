"""Comparing two pictures, each of them sent by the caller or stored in a collection."""

import asyncio
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from typing import BinaryIO

import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace, ImageRecord
from bento_service.comparison.alignment import Pair, align
from bento_service.comparison.stored_prints import stored_prints
from bento_service.comparison.verdict import Likeness, Lines, cosine
from bento_service.descriptors.describer import Describer
from bento_service.errors import ImageNotFound, LookalikeError, NotReady, Overloaded
from bento_service.pictures.miniature import Miniature, prints_of
from bento_service.pictures.perceptual_hash import Hashes, closeness
from bento_service.storage.digests import whole_digest
from bento_service.storage.originals import Originals
from client_sdk.decoding.formats import Region

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
    """The digest, hashes, miniature and descriptor of a picture, or `pixels` to describe."""

    sha256: str
    hashes: Hashes | None
    miniature: Miniature | None
    pixels: NDArray[np.uint8] | None = None
    descriptor: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparer:
    """The comparison of pictures by their bytes, hashes and descriptors.

    Attributes:
        originals: The bytes of stored images, read if a hash or descriptor is missing.
        lines: The thresholds of the computed spaces.
    """

    catalogue: Catalogue
    originals: Originals
    describer: Describer
    _: KW_ONLY
    computed: Computed
    lines: Lines
    _threads: CapacityLimiter = field(
        default_factory=lambda: CapacityLimiter(COMPARISONS_AT_ONCE), init=False
    )

    async def compare(
        self, a: Subject, b: Subject, *, collection: str, sender: str = ""
    ) -> Compared:
        """Compare two pictures in the descriptor space of a collection.

        Stored images may be in any collection. Senders of expensive pictures take turns.

        Raises:
            CollectionNotFound, Conflict: There is no such collection, or its space is not computed.
            ImageNotFound: There is no image with that id, or its original is needed and gone.
            LookalikeError: See `Decoders`.
        """
        space = await asyncio.to_thread(self._space, collection)
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
            cosine=cosine(descriptors[0], descriptors[-1]),
            same_bytes=same_bytes,
            closeness=closeness(first.hashes, second.hashes),
            lines=self.lines[space.fingerprint],
        )
        if likeness.is_proposed and not same_bytes:
            likeness = await asyncio.to_thread(_aligned, likeness, first, second)
        return Compared(likeness, space, first.warnings + second.warnings)

    async def describe(
        self, subject: Subject, *, collection: str, region: Region | None = None, sender: str = ""
    ) -> tuple[DescriptorSpace, NDArray[np.float32]]:
        """Return the descriptor of a picture, or of a region, in the space of a collection.

        A stored image is described in the space of its own collection.

        Raises:
            LookalikeError: See `compare`.
        """

        def examined() -> tuple[DescriptorSpace, _Examined]:
            if isinstance(subject, int):
                stored = self.catalogue.images.get(subject)
                space = self._space(stored.collection)
                return space, self._stored("image", stored, space, sender)
            space = self._space(collection)
            picture = self.describer.decode(subject, region=region, sender=sender)
            return space, _Examined("", None, None, picture.pixels)

        space, picture = await run_sync(examined, limiter=self._threads)
        (descriptor,) = await self._descriptors([picture], space)
        return space, descriptor

    def _space(self, collection: str) -> DescriptorSpace:
        return self.catalogue.collections.comparable(collection, self.computed).space

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
            described = iter((await self.describer.describe(np.stack(pixels)))[space.fingerprint])
        return [
            next(described) if picture.descriptor is None else picture.descriptor
            for picture in pictures
        ]

    def _examined(
        self, name: str, subject: Subject, space: DescriptorSpace, sender: str
    ) -> _Examined:
        try:
            if isinstance(subject, int):
                return self._stored(name, self.catalogue.images.get(subject), space, sender)
            picture = self.describer.decode(subject, sender=sender)
            warnings = tuple(f"{name}: {warning}" for warning in picture.warnings)
            digest, pixels = whole_digest(subject), picture.pixels
            return _Examined(digest, *prints_of(pixels), pixels, warnings=warnings)
        except LookalikeError as error:
            raise type(error)(f"{name}: {error}") from error

    def _stored(
        self, name: str, image: ImageRecord, space: DescriptorSpace, sender: str
    ) -> _Examined:
        """Examine a stored image; read its original only if something of it is missing."""
        descriptor = self._descriptor(image, space)
        prints = stored_prints(self.catalogue, [image.id])
        hashes, small = prints.get(image.id, (None, None))
        if descriptor is not None and small is not None:
            return _Examined(image.sha256, hashes, small, descriptor=descriptor)
        try:
            pixels = self.describer.decode(self.originals.read(image), sender=sender).pixels
        except (NotReady, Overloaded):
            raise
        except LookalikeError as error:
            if descriptor is None:
                raise
            warning = (
                f"{name}: is compared without its hash or its detail, because its original cannot "
                f"be read ({error.code})"
            )
            return _Examined(image.sha256, hashes, small, None, descriptor, (warning,))
        return _Examined(image.sha256, *prints_of(pixels), pixels, descriptor)

    def _descriptor(self, image: ImageRecord, space: DescriptorSpace) -> NDArray[np.float32] | None:
        collection = self.catalogue.collections.named(image.collection)
        for index in self.catalogue.indexes.of(collection.id):
            if index.space.fingerprint == space.fingerprint:
                try:
                    return self.catalogue.images.descriptor(image.id, index.id)
                except ImageNotFound:  # a reindex has not described it yet, or it was just deleted
                    return None
        return None


def _aligned(likeness: Likeness, first: _Examined, second: _Examined) -> Likeness:
    if first.miniature is None or second.miniature is None:
        return likeness
    (alignment,) = align([Pair(first.miniature, second.miniature, likeness.closeness)])
    return replace(likeness, alignment=alignment)
