"""Whether two pictures are the same, nearly so, or only similar; each of them given or stored."""

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
from bento_service.descriptors.describing import Describe
from bento_service.errors import ImageNotFound, LookalikeError, NotReady, Overloaded
from bento_service.pictures.formats import Colour
from bento_service.pictures.perceptual_hash import Hashes, closeness, hashes_of, restored
from bento_service.pictures.picture import Decoder, Picture
from bento_service.storage.digests import stream_digest
from bento_service.storage.originals import Originals

COMPARISONS_AT_ONCE = 16
"""Pictures to compare that may wait for a decoder at the same time; further ones wait without a
thread."""

Subject = int | BinaryIO
"""A picture to compare: the id of a stored image, or a file open for reading that can seek."""


@dataclass(frozen=True)
class Compared:
    """What was found, in which space, and what is worth knowing about the pictures."""

    likeness: Likeness
    space: DescriptorSpace
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Looked:
    """What is known of one picture; without a descriptor its pixels are still to be described."""

    sha256: str
    hashes: Hashes | None
    pixels: NDArray[np.uint8] | None = None
    descriptor: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()


class Comparer:
    """Compares pictures by their bytes, their hashes and their descriptors."""

    def __init__(
        self,
        catalogue: Catalogue,
        originals: Originals,
        decoder: Decoder,
        describe: Describe,
        *,
        computed: Computed,
        lines: Lines,
        side: int,
        padding: Colour | None = None,
    ) -> None:
        """Prepare.

        Args:
            catalogue: The truth.
            originals: The bytes of stored images, for those that lack something.
            decoder: Decodes pictures.
            describe: Asks the embedder.
            computed: What the embedder gives.
            lines: Where verdicts begin, for each of it.
            side: Of the pictures that the embedder takes, in pixels.
            padding: How they become squares; see `vision.square.square`.
        """
        self._catalogue = catalogue
        self._originals = originals
        self._decoder = decoder
        self._describe = describe
        self._computed = computed
        self._lines = lines
        self._side = side
        self._padding = padding
        self._threads = CapacityLimiter(COMPARISONS_AT_ONCE)

    async def compare(
        self, a: Subject, b: Subject, *, collection: str, sender: str = ""
    ) -> Compared:
        """Compare two pictures.

        Args:
            a: One.
            b: The other one.
            collection: In whose space; stored images may be in any collection.
            sender: Who asks; senders of expensive pictures take turns.

        Raises:
            CollectionNotFound, Conflict: The space is not there, or not computed.
            ImageNotFound: There is no image with that id, or its original is needed and gone.
            UnsupportedMediaType, TooLarge, ImageUnreadable, ImageTooExpensive, NotReady,
            Overloaded: See `Decoder`.
        """
        record = await asyncio.to_thread(
            self._catalogue.collections.comparable, collection, self._computed
        )
        looked = [
            await run_sync(
                partial(self._looked, name, subject, record.space, sender), limiter=self._threads
            )
            for name, subject in (("a", a), ("b", b))
        ]
        same_bytes = looked[0].sha256 == looked[1].sha256
        described = await self._descriptors(looked[:1] if same_bytes else looked, record.space)
        likeness = Likeness(
            score=cosine(described[0], described[-1]),
            same_bytes=same_bytes,
            closeness=closeness(looked[0].hashes, looked[1].hashes),
            lines=self._lines[record.space.fingerprint],
        )
        return Compared(likeness, record.space, looked[0].warnings + looked[1].warnings)

    async def _descriptors(
        self, looked: Sequence[_Looked], space: DescriptorSpace
    ) -> list[NDArray[np.float32]]:
        pixels = [one.pixels for one in looked if one.descriptor is None and one.pixels is not None]
        described = iter(())
        if pixels:
            described = iter((await self._describe(np.stack(pixels)))[space.fingerprint])
        return [next(described) if one.descriptor is None else one.descriptor for one in looked]

    def _looked(self, name: str, subject: Subject, space: DescriptorSpace, sender: str) -> _Looked:
        try:
            if isinstance(subject, int):
                return self._stored(name, self._catalogue.images.get(subject), space, sender)
            picture = self._decoded(subject, sender)
            warnings = tuple(f"{name}: {warning}" for warning in picture.warnings)
            subject.seek(0)
            digest, hashes = stream_digest(subject), hashes_of(picture.pixels)
            return _Looked(digest, hashes, picture.pixels, warnings=warnings)
        except LookalikeError as error:
            raise type(error)(f"{name}: {error}") from error

    def _stored(
        self, name: str, image: ImageRecord, space: DescriptorSpace, sender: str
    ) -> _Looked:
        """Of what is stored; the original is read only where something is missing."""
        descriptor = self._descriptor(image, space)
        hashes = self._catalogue.hashes.of([image.id]).get(image.id)
        if descriptor is not None and hashes is not None:
            return _Looked(image.sha256, restored(hashes), descriptor=descriptor)
        try:
            pixels = self._decoded(self._originals.read(image), sender).pixels
        except (NotReady, Overloaded):
            raise
        except LookalikeError as error:
            if descriptor is None:
                raise
            warning = f"{name}: has no hash, because its original cannot be read ({error.code})"
            return _Looked(image.sha256, None, descriptor=descriptor, warnings=(warning,))
        return _Looked(image.sha256, hashes_of(pixels), pixels, descriptor)

    def _descriptor(self, image: ImageRecord, space: DescriptorSpace) -> NDArray[np.float32] | None:
        collection = self._catalogue.collections.named(image.collection)
        for index in self._catalogue.indexes.of(collection.id):
            if index.space.fingerprint == space.fingerprint:
                try:
                    return self._catalogue.images.descriptor(image.id, index.id)
                except ImageNotFound:  # a reindex has not come to it yet, or it was just deleted
                    return None
        return None

    def _decoded(self, source: bytes | BinaryIO, sender: str) -> Picture:
        return self._decoder.decode(source, side=self._side, padding=self._padding, sender=sender)
