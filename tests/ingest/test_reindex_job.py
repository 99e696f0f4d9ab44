"""A reindex by the worker, over a real catalogue, real files and real decoding.

There is no Milvus here, so the test itself switches, where replay would.
"""

import asyncio
import io

import numpy as np
import pytest

from bento_service.catalogue.jobs.records import NewFile, NewJob
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.describer import Describer
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument
from bento_service.ingest.starting.folder_jobs import start_folder_job, start_reindex_job
from bento_service.ingest.worker.reading import Reader
from bento_service.ingest.worker.worker import Worker
from bento_service.requests import TrainRequest
from bento_service.settings import ImageRoot
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads
from client_sdk.schemas import JobState
from tests.support.blobs import receiving
from tests.support.ingesting import IMPATIENT
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.waiting import wait_until_async

OLD = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 3, "fp32")
NEW = DescriptorSpace("vgg16-rmac4", "vgg16:one", "e" * 64, 3, "fp32")
ELSEWHERE = DescriptorSpace("vgg16-rmac4", "vgg16:one", "d" * 64, 3, "int8")
BOTH = Computed((OLD, NEW))


async def describe(images):
    """Return the mean colour in one space, and its reverse in the other."""
    means = images.mean(axis=(1, 2)) + 1.0
    units = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    return {OLD.fingerprint: units, NEW.fingerprint: -units}


def _no_manifest(digests):
    raise AssertionError("a reindex has no manifest")


class FilledCollection:
    """A collection of three files and an upload, and the parts that a worker needs."""

    def __init__(self, folder, catalogue):
        self.catalogue = catalogue
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        self.roots = ImageRoots([ImageRoot("pictures", self.pictures)])
        blobs = FolderBlobStore(folder / "uploads")
        self.uploads = Uploads(blobs, catalogue.upload_pins, unneeded=_no_manifest)
        self.commits = 0
        self.cats = catalogue.collections.create("cats", OLD)
        for colour in ("red", "green", "blue"):
            (self.pictures / f"{colour}.png").write_bytes(png(colour))
        request = TrainRequest(path=".", collection="cats")
        start_folder_job(catalogue, self.roots, BOTH, request)
        with receiving(self.uploads, [io.BytesIO(png("white"))]) as (sha256,):
            sent = NewJob(SourceKind.UPLOAD, files=(NewFile("1", "white.png", sha256),))
            catalogue.jobs.create(self.cats.id, "cats", sent)
        self.work(lambda: not catalogue.jobs.open())

    def reindex(self, descriptor="vgg16-rmac4", computed=BOTH):
        return start_reindex_job(self.catalogue, computed, "cats", descriptor, drop_missing=False)

    def original(self, collection_id, sha256):
        image = self.catalogue.images.with_digest(collection_id, sha256)
        return image and Originals(self.roots, self.uploads.blobs).read(image)

    def work(self, is_so, computed=BOTH):
        """Run a worker until a condition is true."""
        reader = Reader(
            self.roots,
            self.uploads.blobs,
            Describer(LocalDecoder(max_pixels=10**5), describe, side=4),
            known=self.catalogue.images.known,
            original=self.original,
            max_bytes=10**6,
        )

        number = self.catalogue.replicas.join("test", seconds=60)

        async def run():
            async with Worker(
                self.catalogue,
                self.roots,
                reader,
                describe,
                uploads=self.uploads,
                computed=computed,
                replica=lambda: number,
                decoders=2,
                on_commit=self.count_commit,
                waits=IMPATIENT,
            ) as worker:
                await wait_until_async(lambda: is_so() or not worker.alive)
                assert worker.alive

        asyncio.run(run())

    def count_commit(self):
        self.commits += 1

    def job(self, job):
        return self.catalogue.jobs.get(job.id)


@pytest.fixture
def filled(tmp_path, catalogue):
    return FilledCollection(tmp_path, catalogue)


def test_files_and_uploads_are_described_again(filled):
    job = filled.reindex()
    filled.work(filled.catalogue.reindexes.due)
    assert (filled.job(job).state, filled.job(job).total) == (JobState.IN_PROGRESS, 4)
    (index,) = filled.catalogue.reindexes.due()
    filled.catalogue.reindexes.switch(index)
    images = filled.catalogue.images.page(filled.cats.id, limit=9)
    assert len(images) == 4
    for image in images:
        old = filled.catalogue.images.descriptor(image.id, filled.cats.index.id)
        new = filled.catalogue.images.descriptor(image.id, index.id)
        assert new.tolist() == (-old).tolist()


def test_a_changed_file_fails_under_its_name(filled):
    (filled.pictures / "green.png").write_bytes(png("yellow"))
    job = filled.reindex()
    filled.work(filled.catalogue.reindexes.due)
    (failure,) = filled.catalogue.jobs.failures(job.number, after=0, limit=9)
    assert (failure.path, failure.code) == ("green.png", "path_not_found")
    assert "was moved or changed" in failure.detail
    assert (filled.job(job).indexed, filled.job(job).failed) == (3, 1)


def test_a_walk_without_files_is_reported_as_finished(filled):
    filled.catalogue.images.delete_all(filled.cats.id)
    before = filled.commits
    filled.reindex()
    filled.work(lambda: filled.catalogue.reindexes.due() and filled.commits > before)


def test_a_reindex_fails_if_a_restart_does_not_compute_its_descriptor(filled):
    job = filled.reindex()
    filled.work(lambda: filled.job(job).state is JobState.FAILED, Computed((OLD, ELSEWHERE)))
    assert filled.job(job).detail.startswith(
        "the service does not compute vgg16-rmac4 in fp32 any more; start it with "
        "LOOKALIKE_PRECISION=fp32"
    )
    assert filled.catalogue.collections.named("cats").space == OLD


def test_an_abandoned_reindex_does_not_continue(filled):
    job = filled.reindex()
    filled.catalogue.reindexes.forget(filled.cats)
    other = filled.reindex()
    filled.work(filled.catalogue.reindexes.due)
    assert (filled.job(job).state, filled.job(job).done) == (JobState.CANCELED, 0)
    assert filled.job(other).done == 4


def test_impossible_reindexes_are_refused(filled):
    with pytest.raises(CollectionNotFound, match="'dogs'"):
        start_reindex_job(filled.catalogue, BOTH, "dogs", None, drop_missing=False)
    with pytest.raises(InvalidArgument, match="use one of vgg16-mac, vgg16-rmac4"):
        filled.reindex("vgg19")
    with pytest.raises(Conflict, match="already"):
        filled.reindex(None)
    assert filled.catalogue.jobs.open() == []
