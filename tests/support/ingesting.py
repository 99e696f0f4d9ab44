"""A worker over a real catalogue, real files and real decoding; the embedder is a fake.

The real embedder is a pure function of pixels too.
"""

import asyncio
import io
from datetime import UTC, datetime, timedelta

import numpy as np

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import NewFile, NewJob
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.describer import Describer
from bento_service.errors import NotReady
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.starting.manifest_jobs import ManifestJobs
from bento_service.ingest.worker.job_lists import Lists
from bento_service.ingest.worker.reading import Reader
from bento_service.ingest.worker.waiting import Waits
from bento_service.ingest.worker.worker import TURN, Worker
from bento_service.requests import TrainRequest
from bento_service.settings import ImageRoot
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads
from tests.support.blobs import receiving
from tests.support.catalogues import sqlite_catalogue
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.waiting import wait_until_async

IMPATIENT = Waits(retry_seconds=0.05, look_seconds=0.05)
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


def colours(number):
    """Return `number` different colours."""
    return [(n % 256, n // 256, 100) for n in range(number)]


class ColourEmbedder:
    """Describes a picture by its mean colour; counts, and waits or fails on request.

    With `go_on`, a call waits for that event once `before_wait` pictures are described.
    """

    def __init__(self):
        self.calls = 0
        self.described = 0
        self.blues = []
        self.largest = 0
        self.go_on = None
        self.before_wait = 0
        self.waiting = 0
        self.not_ready = 0
        self.pause = 0.0

    @classmethod
    def waiting_after(cls, turns):
        """Return one that waits for `go_on` once so many turns can be committed.

        Turns are committed in order, and two later ones may be described before the last of them.
        """
        embedder = cls()
        embedder.go_on, embedder.before_wait = asyncio.Event(), (turns + 2) * TURN
        return embedder

    async def __call__(self, images):
        self.calls += 1
        self.largest = max(self.largest, len(images))
        if self.calls <= self.not_ready:
            raise NotReady("starting")
        if self.go_on is not None and self.described >= self.before_wait:
            self.waiting += 1
            await self.go_on.wait()
        await asyncio.sleep(self.pause)
        self.described += len(images)
        means = np.ones((len(images), 4))
        means[:, :3] += images.mean(axis=(1, 2))
        self.blues += means[:, 2].tolist()
        units = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
        return {SPACE.fingerprint: units}


class Ingest:
    """A catalogue, an image root and uploads in one folder, and workers on them."""

    def __init__(self, folder):
        self.pictures = folder / "pictures"
        self.pictures.mkdir(exist_ok=True)
        self.database = folder / "catalogue.db"
        self.catalogue = Catalogue.open(sqlite_catalogue(self.database))
        blobs = FolderBlobStore(folder / "uploads")
        self.uploads = Uploads(blobs, self.catalogue.upload_pins, unneeded=self.unneeded)
        self.roots = ImageRoots([ImageRoot("pictures", self.pictures)])
        self.cats = self.catalogue.collections.ensure("cats", SPACE)
        self.looked_up = 0
        self.commits = 0
        self.decoder = LocalDecoder(max_pixels=10**5)
        self.retriable = timedelta(hours=1)

    def write(self, pictures):
        for name, content in pictures.items():
            path = self.pictures / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def write_colours(self, number, folder="many"):
        self.write({f"{folder}/{n:04}.png": png(one) for n, one in enumerate(colours(number))})

    def train(self, path=".", **options):
        request = TrainRequest(path=path, collection="cats", **options)
        return start_folder_job(self.catalogue, self.roots, Computed((SPACE,)), request)

    def upload(self, *contents):
        with receiving(self.uploads, map(io.BytesIO, contents)) as digests:
            files = tuple(NewFile(str(n), f"{n}.png", d) for n, d in enumerate(digests))
            job = NewJob(SourceKind.UPLOAD, files=files)
            return self.catalogue.jobs.create(self.cats.id, "cats", job)

    def join(self):
        """Join as another replica; the leases of the former one end."""
        return self.catalogue.replicas.join("test", seconds=60)

    def worker(self, describe, space=SPACE, replica=None, **options):
        def known(collection_id, sha256):
            self.looked_up += 1
            return self.catalogue.images.known(collection_id, sha256)

        reader = Reader(
            self.roots,
            self.uploads.blobs,
            Describer(self.decoder, describe, side=4),
            known=known,
            original=self.original,
            max_bytes=10**6,
        )
        number = replica or self.join()
        return Worker(
            self.catalogue,
            self.roots,
            reader,
            describe,
            uploads=self.uploads,
            computed=Computed((space,)),
            replica=lambda: number,
            decoders=2,
            on_commit=self.count_commit,
            waits=IMPATIENT,
            **options,
        )

    def lists(self):
        return Lists(self.catalogue, self.roots, self.uploads)

    def manifest_jobs(self):
        return ManifestJobs(self.catalogue, self.roots, self.uploads, Computed((SPACE,)))

    def unneeded(self, digests):
        """Return the uploads that no image and no retriable job needs, as the service does."""
        since = datetime.now(UTC) - self.retriable
        return self.catalogue.upload_references.unneeded(digests, ended_after=since)

    def original(self, collection_id, sha256):
        image = self.catalogue.images.with_digest(collection_id, sha256)
        return image and Originals(self.roots, self.uploads.blobs).read(image)

    def count_commit(self):
        self.commits += 1

    def job(self, job):
        return self.catalogue.jobs.get(job.id)

    def images(self):
        return self.catalogue.images.page(self.cats.id, limit=10_000)

    def work(self, describe=None, *, until=None, space=SPACE):
        """Run a worker until no job is open, or until a condition is true."""
        is_so = until or (lambda: not self.catalogue.jobs.open())

        async def run():
            async with self.worker(describe or ColourEmbedder(), space) as worker:
                await wait_until_async(is_so)
                assert worker.alive

        asyncio.run(run())


def counted(job):
    return (job.state.value, job.total, job.done, job.indexed, job.duplicates, job.failed)
