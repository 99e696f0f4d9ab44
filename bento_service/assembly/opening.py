"""Functions that open the parts of a service, and `opened`, which opens all of them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial

from anyio import CapacityLimiter

from bento_service.application import THUMBNAILS_AT_ONCE, Application
from bento_service.assembly.backing import SERVICE, Backing
from bento_service.assembly.on_demand import fetcher, watcher
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.comparison.comparer import Comparer
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.comparison.verdict import lines_of
from bento_service.descriptors.choice import Choice
from bento_service.descriptors.describer import Describer
from bento_service.descriptors.describing import Embedder, patient
from bento_service.descriptors.version import DescriptorVersion
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay
from bento_service.ingest.archives.limits import Limits
from bento_service.ingest.starting.manifest_jobs import ManifestJobs
from bento_service.ingest.starting.upload_jobs import UploadJobs
from bento_service.ingest.worker.reading import Reader
from bento_service.ingest.worker.worker import Worker
from bento_service.maintenance.cleanup import (
    CLEANUP_SECONDS,
    EXPIRY_SECONDS,
    Cleanup,
    delete_expired,
)
from bento_service.maintenance.hash_backfill import BACKFILL_SECONDS, HashBackfill
from bento_service.maintenance.periodic import periodic
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.search.searcher import Searcher
from bento_service.settings import Settings
from bento_service.storage.data_folder import sole_user
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads
from client_sdk.schemas import DEFAULT_COLLECTION


def open_decoders(settings: Settings, backing: Backing = SERVICE) -> Decoders:
    """Return the decoder processes, which start when entered."""
    limits = DecoderLimits(
        max_pixels=settings.max_pixels,
        max_jpeg_pixels=settings.max_jpeg_pixels,
        memory_bytes=settings.memory_of_decoder,
        seconds=settings.decoder_seconds,
    )
    return Decoders(limits, count=settings.most_decoders, tries=backing.tries_decoder)


@contextmanager
def open_catalogue(settings: Settings, computed: Computed) -> Iterator[Catalogue]:
    """Open the catalogue, which always has the default collection."""
    with Catalogue.open(settings.catalogue) as catalogue:
        catalogue.collections.ensure(DEFAULT_COLLECTION, computed.named(None))
        yield catalogue


def open_uploads(settings: Settings, catalogue: Catalogue) -> Uploads:
    """Return the stored uploads; cleanup keeps those that the catalogue needs."""

    def unneeded(digests: set[str]) -> set[str]:
        ended_after = settings.retriable_since()
        return catalogue.upload_references.unneeded(digests, ended_after=ended_after)

    return Uploads(settings.uploads_dir, unneeded=unneeded)


def open_reader(
    settings: Settings,
    catalogue: Catalogue,
    originals: Originals,
    roots: ImageRoots,
    uploads: Uploads,
    describer: Describer,
) -> Reader:
    """Return the reader of jobs' files."""

    def original(collection_id: int, sha256: str) -> bytes | None:
        image = catalogue.images.with_digest(collection_id, sha256)
        return None if image is None else originals.read(image)

    return Reader(
        roots,
        uploads,
        describer,
        known=catalogue.images.known,
        original=original,
        max_bytes=settings.max_upload_bytes,
    )


@asynccontextmanager
async def periodic_work(
    settings: Settings,
    catalogue: Catalogue,
    uploads: Uploads,
    originals: Originals,
    describer: Describer,
    replay: Replay,
) -> AsyncIterator[None]:
    """Run cleanup, the expiry of scratch collections and the hash backfill within the block."""

    def on_deleted(digests: set[str]) -> None:
        uploads.discard(digests)
        replay.wake()

    cleanup = Cleanup(catalogue, retriable_since=settings.retriable_since, discard=uploads.discard)
    backfill = HashBackfill(
        catalogue, originals, describer, is_busy=lambda: bool(catalogue.jobs.open())
    )
    async with (
        periodic(cleanup.run, seconds=CLEANUP_SECONDS, what="cleanup"),
        periodic(
            partial(delete_expired, catalogue, on_deleted),
            seconds=EXPIRY_SECONDS,
            what="the deletion of scratch collections",
        ),
        periodic(backfill.step, seconds=BACKFILL_SECONDS, what="hashing older images"),
    ):
        yield


@asynccontextmanager
async def opened(
    settings: Settings,
    model: str,
    versions: Sequence[DescriptorVersion],
    choice: Choice,
    embedder: Embedder,
    backing: Backing = SERVICE,
) -> AsyncIterator[Application]:
    """Open all parts, resume open jobs, and close everything at the end of the block.

    Args:
        settings: The service's settings.
        model: Tag of the model.
        versions: The model's descriptors in the embedder's order; new collections use the first.
        choice: The engine that computes them.
        embedder: Describes pictures for queries and for jobs.
        backing: The gallery and the image roots.

    Raises:
        Conflict: Another service uses the data folder.
    """
    computed = Computed(tuple(_space(model, version) for version in versions))
    dimensions = {space.fingerprint: space.dimension for space in computed.spaces}
    preprocessing = versions[0].preprocessing
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.data_dir))
        decoders = stack.enter_context(open_decoders(settings, backing))
        describer = Describer(
            decoders,
            patient(embedder.describe_query, dimensions),
            side=preprocessing.size,
            padding=preprocessing.padding,
        )
        catalogue = stack.enter_context(open_catalogue(settings, computed))
        roots = backing.roots(settings, catalogue)
        uploads = open_uploads(settings, catalogue)
        uploads.discard(set(uploads.stored()))
        originals = Originals(roots, uploads)
        gallery = stack.enter_context(backing.gallery(settings, catalogue))
        rule = IndexRule(
            settings.index, embedded=gallery.is_embedded, by=backing.by, most=backing.most
        )
        replay = stack.enter_context(
            Replay(
                catalogue,
                gallery,
                on_purged=uploads.discard,
                swap=IndexSwap(catalogue, gallery, rule),
            )
        )
        reader = open_reader(settings, catalogue, originals, roots, uploads, describer)
        worker = await stack.enter_async_context(
            Worker(
                catalogue,
                roots,
                reader,
                patient(embedder.describe_ingest, dimensions),
                uploads=uploads,
                computed=computed,
                decoders=settings.ingest_decoders,
                batch=choice.ingest_message,
                on_commit=replay.wake,
            )
        )
        if settings.watch:
            await stack.enter_async_context(
                watcher(settings, catalogue, roots, computed, worker.wake)
            )
        await stack.enter_async_context(
            periodic_work(settings, catalogue, uploads, originals, describer, replay)
        )
        lines = lines_of(versions)
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
            upload_jobs=UploadJobs(catalogue, uploads, computed, _archive_limits(settings)),
            manifest_jobs=ManifestJobs(catalogue, roots, uploads, computed),
            originals=originals,
            decoders=decoders,
            thumbnails=CapacityLimiter(THUMBNAILS_AT_ONCE),
            searcher=Searcher(catalogue, gallery, describer, computed=computed),
            comparer=Comparer(catalogue, originals, describer, computed=computed, lines=lines),
            duplicates=Duplicates(catalogue, gallery, computed=computed, lines=lines),
            worker=worker,
            fetcher=fetcher(settings),
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
