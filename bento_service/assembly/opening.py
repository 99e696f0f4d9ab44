"""Opening of a service: `opened` opens all parts, the other functions single ones."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bento_service.application import Application, Parts
from bento_service.assembly.backing import SERVICE, Backing
from bento_service.assembly.uploads import open_uploads
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.comparison.comparer import Comparer
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.comparison.hit_verdicts import HitVerdicts
from bento_service.comparison.verdict import lines_of
from bento_service.descriptors.choice import Choice
from bento_service.descriptors.describer import Describer
from bento_service.descriptors.describing import Describe, Embedder, retrying
from bento_service.descriptors.version import DescriptorVersion
from bento_service.gallery.gallery import Gallery
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
from bento_service.maintenance.periodic import periodic, while_owner
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.pictures.decoders.process import DecoderLimits
from bento_service.replicas.replica import Replica
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.settings import Settings
from bento_service.storage.data_folder import sole_user
from bento_service.storage.originals import Originals
from client_sdk.schemas import DEFAULT_COLLECTION

if TYPE_CHECKING:
    from bento_service.fetching.fetcher import Fetcher
    from bento_service.ingest.watcher import Watcher


def open_decoders(settings: Settings, backing: Backing = SERVICE) -> Decoders:
    """Return the decoder processes, which start when entered."""
    limits = DecoderLimits(
        max_pixels=settings.max_pixels,
        max_jpeg_pixels=settings.max_jpeg_pixels,
        memory_bytes=settings.memory_of_decoder,
        seconds=settings.decoder_seconds,
    )
    return Decoders(limits, count=settings.most_decoders, tries=backing.tries_decoder)


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

    The versions have the embedder's order; new collections use the first.

    Raises:
        Conflict: Another service uses the data folder.
    """
    dimensions = {version.fingerprint: version.dimension for version in versions}
    async with AsyncExitStack() as stack:
        describe = retrying(embedder.describe_query, dimensions)
        parts = _open_parts(stack, settings, model, versions, describe, backing)
        gallery = stack.enter_context(backing.gallery(settings, parts.catalogue))
        rule = IndexRule(
            settings.index,
            embedded=gallery.is_embedded,
            embedded_name=backing.embedded_name,
            max_embedded=backing.max_embedded,
        )
        replay = stack.enter_context(_replay(parts, gallery, rule))
        describe = retrying(embedder.describe_ingest, dimensions)
        worker = await stack.enter_async_context(_worker(parts, describe, choice, replay))
        await _start_upkeep(stack, parts, worker, replay)
        yield Application(
            **vars(parts),
            **_services(parts, gallery),
            model=model,
            engine=choice.engine,
            version=versions[0],
            gallery=gallery,
            rule=rule,
            replay=replay,
            worker=worker,
        )


def _open_parts(
    stack: AsyncExitStack,
    settings: Settings,
    model: str,
    versions: Sequence[DescriptorVersion],
    describe: Describe,
    backing: Backing,
) -> Parts:
    """Open the parts that describe and store images, and make the default collection."""
    stack.enter_context(sole_user(settings.data_dir))
    decoders = stack.enter_context(open_decoders(settings, backing))
    side, padding = versions[0].preprocessing.size, versions[0].preprocessing.padding
    describer = Describer(decoders, describe, side=side, padding=padding)
    computed = Computed(tuple(space_of(model, version) for version in versions))
    catalogue = stack.enter_context(Catalogue.open(settings.catalogue))
    catalogue.collections.ensure(DEFAULT_COLLECTION, computed.named(None))
    replica = stack.enter_context(Replica(catalogue))
    roots = backing.roots(settings, catalogue)
    uploads = stack.enter_context(open_uploads(settings, catalogue))
    originals, lines = Originals(roots, uploads.blobs), lines_of(versions)
    return Parts(
        settings, computed, lines, describer, catalogue, replica, roots, uploads, originals
    )


def _replay(parts: Parts, gallery: Gallery, rule: IndexRule) -> Replay:
    if gallery.is_embedded:
        parts.replica.require_ownership()
    return Replay(
        parts.catalogue,
        gallery,
        on_purged=parts.uploads.discard,
        swap=IndexSwap(parts.catalogue, gallery, rule),
        is_owner=parts.replica.is_owner,
    )


def _worker(parts: Parts, describe: Describe, choice: Choice, replay: Replay) -> Worker:
    def original(collection_id: int, sha256: str) -> bytes | None:
        image = parts.catalogue.images.with_digest(collection_id, sha256)
        return None if image is None else parts.originals.read(image)

    reader = Reader(
        parts.roots,
        parts.uploads.blobs,
        parts.describer,
        known=parts.catalogue.images.known,
        original=original,
        max_bytes=parts.settings.max_upload_bytes,
    )
    return Worker(
        parts.catalogue,
        parts.roots,
        reader,
        describe,
        uploads=parts.uploads,
        computed=parts.computed,
        replica=parts.replica.number,
        decoders=parts.settings.ingest_decoders,
        batch=choice.ingest_message,
        on_commit=replay.wake,
    )


async def _start_upkeep(
    stack: AsyncExitStack, parts: Parts, worker: Worker, replay: Replay
) -> None:
    """Start what the owner does: watching, cleanup, expiry of collections, backfill of hashes."""
    settings, catalogue, is_owner = parts.settings, parts.catalogue, parts.replica.is_owner
    if settings.watch:
        watcher = _watcher(parts, on_job=worker.wake)
        await stack.enter_async_context(while_owner(watcher, is_owner))

    def on_deleted(digests: set[str]) -> None:
        parts.uploads.discard(digests)
        replay.wake()

    cleanup = Cleanup(catalogue, parts.uploads, retriable_since=settings.retriable_since)
    expire = partial(delete_expired, catalogue, on_deleted)
    backfill = HashBackfill(
        catalogue, parts.originals, parts.describer, is_busy=lambda: bool(catalogue.jobs.open())
    )
    for act, seconds, what in (
        (cleanup.run, CLEANUP_SECONDS, "cleanup"),
        (expire, EXPIRY_SECONDS, "the deletion of scratch collections"),
        (backfill.step, BACKFILL_SECONDS, "hashing older images"),
    ):
        work = periodic(act, seconds=seconds, what=what, is_owner=is_owner)
        await stack.enter_async_context(work)


def _watcher(parts: Parts, *, on_job: Callable[[], None]) -> "Callable[[], Watcher]":
    """Return a function that makes the watcher of the watched image roots."""
    # Imported here, because few services watch folders.
    from bento_service.ingest.watcher import Watched, Watcher

    settings = parts.settings
    watched = [
        Watched(root, collection, settings.watch_prune, settings.watch_poll_seconds)
        for root, collection in settings.watched(parts.roots.all)
    ]
    return partial(Watcher, parts.catalogue, parts.roots, parts.computed, watched, on_job=on_job)


def _services(parts: Parts, gallery: Gallery) -> dict[str, Any]:
    """Return the parts that answer requests."""
    settings, catalogue, computed = parts.settings, parts.catalogue, parts.computed
    describer, lines = parts.describer, parts.thresholds
    judge = HitVerdicts(catalogue, lines)
    limits = Limits(
        members=settings.max_archive_members,
        member_bytes=settings.max_upload_bytes,
        total_bytes=settings.max_archive_bytes,
        ratio=settings.max_archive_ratio,
    )
    return {
        "upload_jobs": UploadJobs(catalogue, parts.uploads, computed, limits),
        "manifest_jobs": ManifestJobs(catalogue, parts.roots, parts.uploads, computed),
        "searcher": PictureSearcher(catalogue, gallery, describer, computed=computed, judge=judge),
        "comparer": Comparer(catalogue, parts.originals, describer, computed=computed, lines=lines),
        "duplicates": Duplicates(catalogue, gallery, computed=computed, lines=lines),
        "fetcher": _fetcher(settings),
    }


def _fetcher(settings: Settings) -> "Fetcher | None":
    if not settings.urls:
        return None
    # Imported here, because few services fetch pictures.
    from bento_service.fetching.fetcher import Fetcher

    return Fetcher(settings)


def space_of(model: str, version: DescriptorVersion) -> DescriptorSpace:
    """Return the space of the descriptors of a model, given by its tag, in one version."""
    return DescriptorSpace(
        version.name, model, version.fingerprint, version.dimension, version.precision
    )
