import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from bento_service.catalogue.jobs.records import Claim, NewFile, NewJob, Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.tables import SourceKind
from bento_service.maintenance.cleanup import Cleanup
from bento_service.maintenance.periodic import periodic
from bento_service.storage.uploads import Uploads

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

    return Uploads(tmp_path / "uploads", unneeded=unneeded)


@pytest.fixture
def failed(catalogue, uploads, tmp_path):
    """The digest of an uploaded picture that could not be read."""
    cats = catalogue.collections.create("cats", SPACE)
    (tmp_path / "torn.png").write_bytes(b"torn")
    with (tmp_path / "torn.png").open("rb") as stream, uploads.receiving([stream]) as (digest,):
        new = NewJob(SourceKind.UPLOAD, files=(NewFile("1", "torn.png", digest),))
        job = catalogue.jobs.create(cats.id, "cats", new, Claim("key", "a" * 64))
    (file,) = catalogue.jobs.todo(job.number, after=0, limit=2)
    catalogue.jobs.settle(job, [Outcome(file, code="image_unreadable", detail="torn")])
    return digest


def cleaning(catalogue, uploads, clock):
    return Cleanup(catalogue, retriable_since=clock, discard=uploads.discard)


def test_a_failed_upload_is_kept_for_a_time_and_then_removed(catalogue, uploads, failed, clock):
    cleanup = cleaning(catalogue, uploads, clock)
    cleanup.run()
    assert list(uploads.stored()) == [failed]
    clock.kept = timedelta(0)  # a day later
    cleanup.run()
    assert list(uploads.stored()) == []


def test_an_upload_that_is_needed_again_stays(catalogue, uploads, failed, clock):
    cleanup = cleaning(catalogue, uploads, clock)
    (job,) = catalogue.jobs.page(before=None, limit=2)
    catalogue.job_control.retry(job)
    clock.kept = timedelta(0)
    cleanup.run()
    assert list(uploads.stored()) == [failed]


def test_cleanup_repeats_after_failures(catalogue):
    calls = threading.Semaphore(0)

    def discard(digests):
        calls.release()
        raise OSError("the disk has gone")

    cleanup = Cleanup(catalogue, retriable_since=Clock(), discard=discard)

    async def run():
        async with periodic(cleanup.run, seconds=0.01, what="cleanup"):
            for _ in range(3):
                assert await asyncio.to_thread(calls.acquire, timeout=10)

    asyncio.run(run())
