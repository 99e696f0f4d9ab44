import asyncio
import io
import threading
from datetime import UTC, datetime, timedelta

import pytest

from bento_service.catalogue.jobs.records import Claim, NewFile, NewJob, Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.maintenance.cleanup import Cleanup
from bento_service.maintenance.periodic import periodic
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.uploads import Uploads
from tests.support.blobs import receiving
from tests.support.job_files import todo
from tests.support.waiting import WAIT_SECONDS

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


class Clock:
    """The time since which ended jobs keep their failed uploads."""

    kept = timedelta(hours=24)

    def __call__(self):
        return datetime.now(UTC) - self.kept


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def uploads(tmp_path, catalogue, clock):
    def unneeded(digests):
        return catalogue.upload_references.unneeded(digests, ended_after=clock())

    blobs = FolderBlobStore(tmp_path / "uploads")
    return Uploads(blobs, catalogue.upload_pins, unneeded=unneeded)


@pytest.fixture
def failed(catalogue, uploads, tmp_path):
    """Return the digest of an uploaded picture that could not be read."""
    cats = catalogue.collections.create("cats", SPACE)
    (tmp_path / "torn.png").write_bytes(b"torn")
    with (tmp_path / "torn.png").open("rb") as stream, receiving(uploads, [stream]) as (digest,):
        new = NewJob(SourceKind.UPLOAD, files=(NewFile("1", "torn.png", digest),))
        job = catalogue.jobs.create(cats.id, "cats", new, Claim("key", "a" * 64))
    (file,) = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(file, code="image_unreadable", detail="torn")])
    return digest


def cleaning(catalogue, uploads, clock):
    return Cleanup(catalogue, uploads, retriable_since=clock)


def test_a_failed_upload_is_kept_for_a_time_and_then_removed(catalogue, uploads, failed, clock):
    cleanup = cleaning(catalogue, uploads, clock)
    cleanup.run()
    assert list(uploads.blobs.stored()) == [failed]
    clock.kept = timedelta(0)  # a day later
    cleanup.run()
    assert list(uploads.blobs.stored()) == []


def test_the_first_run_removes_what_a_crash_has_left(catalogue, uploads, failed, clock):
    with receiving(uploads, [io.BytesIO(b"of a job that was never created")]) as (left,):
        pass
    cleanup = cleaning(catalogue, uploads, clock)
    assert left in uploads.blobs.stored()
    cleanup.run()
    assert list(uploads.blobs.stored()) == [failed]
    with receiving(uploads, [io.BytesIO(b"of a job that was never created")]):
        pass
    cleanup.run()
    assert left in uploads.blobs.stored()  # until the next day


def test_an_upload_that_is_needed_again_stays(catalogue, uploads, failed, clock):
    cleanup = cleaning(catalogue, uploads, clock)
    (job,) = catalogue.jobs.page(before=None, limit=2)
    catalogue.job_control.retry(job)
    clock.kept = timedelta(0)
    cleanup.run()
    assert list(uploads.blobs.stored()) == [failed]


def test_cleanup_repeats_after_failures(catalogue, uploads, monkeypatch):
    calls = threading.Semaphore(0)

    def fail():
        calls.release()
        raise OSError("the disk has gone")

    monkeypatch.setattr(uploads.blobs, "stored", fail)
    cleanup = cleaning(catalogue, uploads, Clock())

    async def run():
        async with periodic(cleanup.run, seconds=0.01, what="cleanup"):
            for _ in range(3):
                assert await asyncio.to_thread(calls.acquire, timeout=WAIT_SECONDS)

    asyncio.run(run())
