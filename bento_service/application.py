"""The running service, as the HTTP layer uses it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, ImageRecord, IndexRecord
from bento_service.comparison.comparer import Comparer
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.comparison.verdict import Lines
from bento_service.descriptors.describer import Describer
from bento_service.descriptors.version import DescriptorVersion
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.replay import Replay
from bento_service.ingest.starting.manifest_jobs import ManifestJobs
from bento_service.ingest.starting.upload_jobs import UploadJobs
from bento_service.ingest.worker.worker import Worker
from bento_service.replicas.replica import Replica
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.settings import Settings
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads

if TYPE_CHECKING:
    from bento_service.fetching.fetcher import Fetcher

THUMBNAILS_AT_ONCE = 16
"""The number of threads that may wait for decoders of thumbnails."""


@dataclass(frozen=True)
class Parts:
    """The parts of a service that its other parts share.

    Attributes:
        thresholds: The thresholds of the verdicts of every computed descriptor version.
    """

    settings: Settings
    computed: Computed
    thresholds: Lines
    describer: Describer
    catalogue: Catalogue
    replica: Replica
    roots: ImageRoots
    uploads: Uploads
    originals: Originals


@dataclass(frozen=True, kw_only=True)
class Application(Parts):
    """The parts of a running service.

    Attributes:
        thumbnails: Limits the threads that make thumbnails.
        fetcher: Fetches pictures from URLs; `None` if that is off.
    """

    model: str
    engine: str
    version: DescriptorVersion
    gallery: Gallery
    rule: IndexRule
    replay: Replay
    worker: Worker
    upload_jobs: UploadJobs
    manifest_jobs: ManifestJobs
    searcher: PictureSearcher
    comparer: Comparer
    duplicates: Duplicates
    fetcher: "Fetcher | None"
    thumbnails: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(THUMBNAILS_AT_ONCE))

    @property
    def is_alive(self) -> bool:
        """True while the worker, replay and the renewal of the leases are running."""
        return self.worker.alive and self.replay.alive and self.replica.alive

    @property
    def is_ready(self) -> bool:
        """True once every index was opened and searched since the start.

        The owner has compared them with the catalogue; another replica waits until the owner keeps
        them up to date.

        The service stays ready if Milvus becomes unavailable later, because training, counting
        and following jobs still work; see the metric `lookalike_index_up`.
        """
        return self.is_alive and self.replay.was_ready

    def is_up(self, index: IndexRecord) -> bool:
        """Return true if the last request to an open index was answered."""
        return self.replay.is_open(index) and self.gallery.answers

    def changed(self) -> None:
        """Wake replay after a change of the catalogue."""
        self.replay.wake()

    async def thumbnail(self, image: ImageRecord, *, side: int, sender: str = "") -> bytes:
        """Return a small WebP of an image, which fits in a square of `side` pixels.

        Waiting for a decoder must not block other requests; expensive senders take turns.

        Raises:
            ImageNotFound: The original is gone.
            LookalikeError: See `Decoders`.
        """

        def made() -> bytes:
            original = self.originals.read(image)
            return self.describer.decoder.thumbnail(original, side=side, sender=sender)

        return await run_sync(made, limiter=self.thumbnails)

    def delete_collection(self, name: str) -> None:
        """Delete a collection with its images, its index and its uploads.

        Raises:
            CollectionNotFound: No collection has that name.
        """
        collection = self.catalogue.collections.named(name)
        self.uploads.discard(self.catalogue.collections.delete(collection.id))
        self.changed()
