"""The running service, as the HTTP layer uses it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, ImageRecord, IndexRecord
from bento_service.comparison.comparer import Comparer
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.descriptors.version import DescriptorVersion
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.replay import Replay
from bento_service.ingest.starting.manifest_jobs import ManifestJobs
from bento_service.ingest.starting.upload_jobs import UploadJobs
from bento_service.ingest.worker.worker import Worker
from bento_service.pictures.decoders.decoders import Decoders
from bento_service.search.searcher import Searcher
from bento_service.settings import Settings
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads

if TYPE_CHECKING:
    from bento_service.fetching.fetcher import Fetcher

THUMBNAILS_AT_ONCE = 16
"""The number of threads that may wait for decoders of thumbnails."""


@dataclass(frozen=True)
class Application:
    """The parts of a running service.

    Attributes:
        thumbnails: Limits the threads that make thumbnails.
        fetcher: Fetches pictures from URLs; `None` if that is off.
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

    @property
    def is_alive(self) -> bool:
        """True while the worker and replay are running."""
        return self.worker.alive and self.replay.alive

    @property
    def is_ready(self) -> bool:
        """True once every index was opened, compared and searched since the start.

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
        """Return a small WebP of an image. Waiting for a decoder must not block other requests.

        Args:
            image: The image.
            side: Side of the square that the thumbnail fits in, in pixels.
            sender: The caller; senders of expensive pictures take turns.

        Raises:
            ImageNotFound: The original is gone.
            LookalikeError: See `Decoder`.
        """

        def made() -> bytes:
            return self.decoders.thumbnail(self.originals.read(image), side=side, sender=sender)

        return await run_sync(made, limiter=self.thumbnails)

    def delete_collection(self, name: str) -> None:
        """Delete a collection with its images, its index and its uploads.

        Raises:
            CollectionNotFound: No collection has that name.
        """
        collection = self.catalogue.collections.named(name)
        self.uploads.discard(self.catalogue.collections.delete(collection.id))
        self.changed()
