"""Everything that runs behind the HTTP surface, put together from the settings."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from bento_service.assembly.backing import SERVICE, Backing
from bento_service.assembly.on_demand import fetcher, watcher
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import (
    Computed,
    DescriptorSpace,
    ImageRecord,
    IndexRecord,
)
from bento_service.comparison.comparer import Comparer
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.comparison.verdict import lines_of
from bento_service.descriptors.choice import Choice
from bento_service.descriptors.describing import Embedder, patient
from bento_service.descriptors.version import DescriptorVersion
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.replay import Replay
from bento_service.ingest.archives.limits import Limits
from bento_service.ingest.starting.manifest_jobs import ManifestJobs
from bento_service.ingest.starting.upload_jobs import UploadJobs
from bento_service.ingest.worker.reading import Reader
from bento_service.ingest.worker.worker import Worker
from bento_service.maintenance.cleanup import (
    EXPIRY_SECONDS,
    HOUSEKEEPING_SECONDS,
    Housekeeping,
    delete_expired,
)
from bento_service.maintenance.hash_backfill import FILLING_SECONDS, HashFilling
from bento_service.maintenance.periodic import repeating
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.search.searcher import Searcher
from bento_service.settings import Settings
from bento_service.storage.data_folder import sole_user
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads, discard_unneeded
from client_sdk.schemas import DEFAULT_COLLECTION

if TYPE_CHECKING:
    from bento_service.fetching.fetcher import Fetcher

THUMBNAILS_AT_ONCE = 16
"""Thumbnails that may wait for a decoder at the same time; further ones wait without a thread."""


@dataclass(frozen=True)
class Application:
    """The rooms of a running service, for the HTTP surface to call.

    Attributes:
        thumbnails: Limits the threads that make them.
        fetcher: Of pictures from URLs; none where that is off.
        discard: Removes those of some stored uploads that nobody needs.
    """

    settings: Settings
    model: str
    engine: str
    version: DescriptorVersion
    computed: Computed
    catalogue: Catalogue
    gallery: Gallery
    rule: IndexRule
    replay: Replay
    roots: ImageRoots
    uploads: Uploads
    upload_jobs: UploadJobs
    manifest_jobs: ManifestJobs
    originals: Originals
    decoders: Decoders
    thumbnails: CapacityLimiter
    searcher: Searcher
    comparer: Comparer
    duplicates: Duplicates
    worker: Worker
    fetcher: "Fetcher | None"
    discard: Callable[[set[str]], None]

    @property
    def is_alive(self) -> bool:
        """Whether nothing has ended that should run for ever."""
        return self.worker.alive and self.replay.alive

    @property
    def is_ready(self) -> bool:
        """Whether every index was opened, compared and searched since the start.

        While Milvus is away later, training, counting and following jobs go on, so the service
        stays ready; see `lookalike_index_up`.
        """
        return self.is_alive and self.replay.was_ready

    def is_up(self, index: IndexRecord) -> bool:
        """Whether searches in an index are answered, as far as is known."""
        return self.replay.is_open(index) and self.gallery.answers

    def changed(self) -> None:
        """Tell those who follow the catalogue that it has changed."""
        self.replay.wake()

    async def thumbnail(self, image: ImageRecord, *, side: int, sender: str = "") -> bytes:
        """A small WebP of an image; who waits for a decoder holds up no other request.

        Args:
            image: Of a collection.
            side: Of the square that it fits in, in pixels.
            sender: Who asks; senders of expensive pictures take turns.

        Raises:
            ImageNotFound: Its original is gone.
            LookalikeError: See `Decoder`.
        """

        def made() -> bytes:
            return self.decoders.thumbnail(self.originals.read(image), side=side, sender=sender)

        return await run_sync(made, limiter=self.thumbnails)

    def delete_collection(self, name: str) -> None:
        """Delete a collection with its images, its index and its uploads.

        Raises:
            CollectionNotFound: There is none of that name.
        """
        collection = self.catalogue.collections.named(name)
        self.discard(self.catalogue.collections.delete(collection.id))
        self.changed()


@asynccontextmanager
async def opened(
    settings: Settings,
    model: str,
    versions: Sequence[DescriptorVersion],
    choice: Choice,
    embedder: Embedder,
    backing: Backing = SERVICE,
) -> AsyncIterator[Application]:
    """Open everything, go on with the jobs that are left, and close it all at the end.

    Args:
        settings: What the environment says.
        model: Tag of the model.
        versions: Of its descriptors, in the embedder's order; new collections get the first.
        choice: What computes them.
        embedder: Asked for descriptors.
        backing: What it stands on.

    Raises:
        Conflict: Another service uses the data folder.
    """
    computed = Computed(tuple(_space(model, version) for version in versions))
    dimensions = {space.fingerprint: space.dimension for space in computed.spaces}
    describe = patient(embedder.describe_query, dimensions)
    preprocessing = versions[0].preprocessing
    lines = lines_of(versions)
    roots = backing.roots(settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.data_dir))
        decoders = stack.enter_context(
            Decoders(
                _decoder_limits(settings), count=settings.most_decoders, tries=backing.tries_decoder
            )
        )
        catalogue = stack.enter_context(Catalogue.open(settings.catalogue))
        catalogue.collections.ensure(DEFAULT_COLLECTION, computed.named(None))
        uploads = Uploads(settings.uploads_dir)
        gallery = stack.enter_context(backing.gallery(settings, catalogue))
        rule = IndexRule(
            settings.index, embedded=gallery.is_embedded, by=backing.by, most=backing.most
        )
        discard = partial(discard_unneeded, uploads, catalogue, settings.retriable_since)
        discard(set(uploads.stored()))
        originals = Originals(roots, uploads)

        def original(collection_id: int, sha256: str) -> bytes | None:
            image = catalogue.images.with_digest(collection_id, sha256)
            return None if image is None else originals.read(image)

        housekeeping = Housekeeping(
            catalogue, retriable_since=settings.retriable_since, discard=discard
        )
        await stack.enter_async_context(
            repeating(housekeeping.look, seconds=HOUSEKEEPING_SECONDS, what="housekeeping")
        )
        replay = stack.enter_context(Replay(catalogue, gallery, on_purged=discard, rule=rule))
        reader = Reader(
            roots,
            uploads,
            decoders,
            known=catalogue.images.known,
            original=original,
            side=preprocessing.size,
            padding=preprocessing.padding,
            max_bytes=settings.max_upload_bytes,
        )

        def on_deleted(uploads: set[str]) -> None:
            discard(uploads)
            replay.wake()

        await stack.enter_async_context(
            repeating(
                partial(delete_expired, catalogue, on_deleted),
                seconds=EXPIRY_SECONDS,
                what="the deletion of scratch collections",
            )
        )
        worker = await stack.enter_async_context(
            Worker(
                catalogue,
                roots,
                reader,
                patient(embedder.describe_ingest, dimensions),
                uploads=uploads,
                discard=discard,
                computed=computed,
                decoders=settings.ingest_decoders,
                batch=choice.ingest_message,
                on_commit=replay.wake,
            )
        )
        if settings.watched:
            following = watcher(settings, catalogue, roots, computed, worker.wake)
            await stack.enter_async_context(following)
        filling = HashFilling(
            catalogue,
            originals,
            decoders,
            side=preprocessing.size,
            padding=preprocessing.padding,
            is_busy=lambda: bool(catalogue.jobs.open()),
        )
        await stack.enter_async_context(
            repeating(filling.step, seconds=FILLING_SECONDS, what="hashing older images")
        )
        comparer = Comparer(
            catalogue,
            originals,
            decoders,
            describe,
            computed=computed,
            lines=lines,
            side=preprocessing.size,
            padding=preprocessing.padding,
        )
        searcher = Searcher(
            catalogue,
            gallery,
            decoders,
            describe,
            computed=computed,
            side=preprocessing.size,
            padding=preprocessing.padding,
        )
        yield Application(
            settings=settings,
            model=model,
            engine=choice.engine,
            version=versions[0],
            computed=computed,
            catalogue=catalogue,
            gallery=gallery,
            rule=rule,
            replay=replay,
            roots=roots,
            uploads=uploads,
            upload_jobs=UploadJobs(
                catalogue, uploads, computed, _archive_limits(settings), discard=discard
            ),
            manifest_jobs=ManifestJobs(catalogue, roots, uploads, computed, discard=discard),
            originals=originals,
            decoders=decoders,
            thumbnails=CapacityLimiter(THUMBNAILS_AT_ONCE),
            searcher=searcher,
            comparer=comparer,
            duplicates=Duplicates(catalogue, gallery, computed=computed, lines=lines),
            worker=worker,
            fetcher=fetcher(settings),
            discard=discard,
        )


def _decoder_limits(settings: Settings) -> DecoderLimits:
    return DecoderLimits(
        max_pixels=settings.max_pixels,
        max_jpeg_pixels=settings.max_jpeg_pixels,
        memory_bytes=settings.memory_of_decoder,
        seconds=settings.decoder_seconds,
    )


def _archive_limits(settings: Settings) -> Limits:
    return Limits(
        members=settings.max_archive_members,
        member_bytes=settings.max_upload_bytes,
        total_bytes=settings.max_archive_bytes,
        ratio=settings.max_archive_ratio,
    )


def _space(model: str, version: DescriptorVersion) -> DescriptorSpace:
    return DescriptorSpace(
        version.name, model, version.fingerprint, version.dimension, version.precision
    )
