"""The worker over a real catalogue, real files and real decoding; the embedder is a fake.

A fake embedder is fair: the real one is another service that promises no more than a pure
function of pixels.
"""

import asyncio
import io
import itertools
import logging
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import NewFile, NewJob, SkippedRecord
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.descriptors.describer import Describer
from bento_service.errors import CatalogueUnavailable, NotReady, Overloaded
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.starting.manifest_jobs import ManifestJobs
from bento_service.ingest.worker import waiting as patience
from bento_service.ingest.worker import worker as worker_module
from bento_service.ingest.worker.job_lists import Lists
from bento_service.ingest.worker.reading import Reader
from bento_service.ingest.worker.worker import TURN, Worker
from bento_service.requests import TrainRequest
from bento_service.settings import ImageRoot
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots, Listed
from bento_service.storage.originals import Originals
from bento_service.storage.uploads import Uploads
from client_sdk.schemas import JobState
from tests.support.blobs import receiving
from tests.support.catalogues import sqlite_catalogue
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.processes import child
from tests.support.waiting import WAIT_SECONDS, join, wait_until_async

PROJECT = Path(__file__).parents[3]
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


def colours(number):
    """Return `number` different colours."""
    return [(n % 256, n // 256, 100) for n in range(number)]


class Colours:
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


class Room:
    """Everything around a worker, in a folder."""

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
        """Begin as another replica; the leases of the former one have ended."""
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
            **options,
        )

    def lists(self):
        return Lists(self.catalogue, self.roots, self.uploads)

    def manifest_jobs(self):
        return ManifestJobs(self.catalogue, self.roots, self.uploads, Computed((SPACE,)))

    def unneeded(self, digests):
        """As in the service, which keeps what could be retried."""
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
        """Let a worker work until there are no open jobs, or until something is so."""
        is_so = until or (lambda: not self.catalogue.jobs.open())

        async def run():
            async with self.worker(describe or Colours(), space) as worker:
                await wait_until_async(is_so)
                assert worker.alive

        asyncio.run(run())


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path)
    with made.catalogue:
        yield made


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(patience, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(worker_module, "_LOOK_AGAIN_SECONDS", 0.05)


def counted(job):
    return (job.state.value, job.total, job.done, job.indexed, job.duplicates, job.failed)


# What becomes of files


def test_every_file_of_a_folder_ends_as_what_it_is(room):
    red = png("red")
    tiff = bytearray(Image.new("RGB", (9, 9)).tobytes())
    room.write(
        {
            "a/good.png": red,
            "a/good.JPG": png("green"),
            "b/same bytes.png": red,
            "b/letter.txt": b"a letter",
            "b/torn.png": png("blue")[:40],
            "b/empty.jpg": b"",
            ".hidden/too large.png": png("white", (1000, 101)),
            "not a picture.bmp": bytes(tiff),
        }
    )
    job = room.train(metadata={"album": "one"})
    room.work()
    assert counted(room.job(job)) == ("completed", 8, 8, 2, 1, 5)
    failures = room.catalogue.jobs.failures(job.number, after=0, limit=100)
    assert {failure.path: failure.code for failure in failures} == {
        "b/letter.txt": "unsupported_media_type",
        "b/torn.png": "image_unreadable",
        "b/empty.jpg": "unsupported_media_type",
        ".hidden/too large.png": "too_large",
        "not a picture.bmp": "unsupported_media_type",
    }
    found = {image.sources[0].path: image for image in room.images()}
    assert sorted(found) == ["a/good.JPG", "a/good.png"]
    assert [source.path for source in found["a/good.png"].sources] == [
        "a/good.png",
        "b/same bytes.png",
    ]
    assert found["a/good.JPG"].format == "PNG"
    assert {image.metadata["album"] for image in found.values()} == {"one"}


def test_a_decoder_that_is_not_there_is_waited_for_and_fails_no_picture(room):
    refusals = [NotReady("no decoder starts"), Overloaded("all are busy")] * 2

    class Absent(LocalDecoder):
        def decode(self, *arguments, **options):
            if refusals:
                raise refusals.pop()
            return super().decode(*arguments, **options)

    room.decoder = Absent(10**5)
    room.write_colours(5)
    job = room.train()
    room.work()
    assert counted(room.job(job)) == ("completed", 5, 5, 5, 0, 0)
    assert refusals == []


def test_every_picture_gets_its_own_descriptor(room):
    room.write_colours(30)
    room.train()
    room.work()
    for image in room.images():
        number = int(Path(image.sources[0].path).stem)
        expected = np.array([*colours(30)[number], 0]) + 1.0
        stored = room.catalogue.images.descriptor(image.id, room.cats.index.id)
        assert np.allclose(stored, expected / np.linalg.norm(expected), atol=1e-6)


def test_uploads_are_indexed_each_once(room):
    job = room.upload(png("red"), b"bad", png("green"), png("red"))
    room.work()
    assert counted(room.job(job)) == ("completed", 4, 4, 2, 1, 1)


def test_what_is_known_is_not_described_again(room):
    room.write_colours(20)
    room.train()
    room.work()
    describe = Colours()
    job = room.train()
    room.work(describe)
    assert counted(room.job(job)) == ("completed", 20, 20, 0, 20, 0)
    assert describe.calls == 0


def test_one_file_alone_can_be_indexed(room):
    room.write({"a/one.png": png("red"), "a/two.png": png("green")})
    job = room.train("a/two.png")
    room.work()
    assert counted(room.job(job)) == ("completed", 1, 1, 1, 0, 0)
    assert [image.sources[0].path for image in room.images()] == ["a/two.png"]


def test_a_walk_follows_its_options(room):
    room.write(
        {
            name: png(one)
            for name, one in zip(("1.png", "2.gif", "a/3.png"), colours(3), strict=True)
        }
    )
    flat, picky = room.train(recursive=False), room.train(ignore=("*.gif", "a/*"))
    room.work()
    assert (room.job(flat).total, room.job(picky).total) == (2, 1)


def test_an_empty_folder_is_completed(room):
    job = room.train()
    room.work()
    assert counted(room.job(job)) == ("completed", 0, 0, 0, 0, 0)


def test_names_that_are_not_text_are_indexed(room):
    name = os.fsdecode(b"caf\xe9\n\xff.png")
    room.write({name: png("red")})
    room.train()
    room.work()
    assert [image.sources[0].path for image in room.images()] == [name]


def test_a_file_that_makes_pillow_stumble_does_not_end_ingest(room):
    stumbling = io.BytesIO()
    Image.new("RGB", (9, 9)).save(stumbling, "TIFF")
    data = bytearray(stumbling.getvalue())
    at = data.index(struct.pack("<HH", 273, 4))
    data[at + 2 : at + 4] = struct.pack("<H", 2)  # the strips begin at a text: TypeError
    room.write({"a.tif": bytes(data), "b.png": png("red")})
    job = room.train()
    room.work()
    assert counted(room.job(job)) == ("completed", 2, 2, 1, 0, 1)


def test_two_jobs_with_the_same_files_make_each_image_once(room):
    room.write_colours(25)
    jobs = [room.train(), room.train()]
    room.work()
    done = [room.job(job) for job in jobs]
    assert {job.state for job in done} == {JobState.COMPLETED}
    assert sum(job.indexed for job in done) == 25
    assert sum(job.duplicates for job in done) == 25
    assert len(room.images()) == 25


def test_a_job_that_comes_while_nothing_is_to_do_is_begun(room):
    async def run():
        async with room.worker(Colours()) as worker:
            await asyncio.sleep(0.1)
            job = room.upload(png("red"))
            worker.wake()
            await wait_until_async(lambda: room.commits == 1)
            assert room.job(job).state is JobState.COMPLETED

    asyncio.run(run())


def test_speed_is_known_while_a_job_runs(room):
    room.write_colours(60)
    job = room.train()
    describe = Colours()
    describe.pause = 0.05
    speeds = []

    async def run():
        async with room.worker(describe, batch=1) as worker:

            def has_ended():
                speeds.append(worker.rates.per_second(job.number, time.monotonic()))
                return not room.catalogue.jobs.open()

            await wait_until_async(has_ended)

    asyncio.run(run())
    known = [speed for speed in speeds if speed is not None]
    assert known
    assert 0 < max(known) < 400  # 40 pictures a second; a busy machine reads its clock late


# Going on after a stop


def test_a_worker_that_was_stopped_is_followed_by_one_that_goes_on(room):
    room.write_colours(50)
    job = room.train()
    describe = Colours()
    describe.go_on, describe.before_wait = asyncio.Event(), 2 * TURN
    room.work(describe, until=lambda: room.job(job).done >= 2 * TURN)
    stopped = room.job(job)
    assert stopped.state is JobState.IN_PROGRESS
    assert 2 * TURN <= stopped.done < 50
    describe.go_on = None
    room.work(describe)
    assert counted(room.job(job)) == ("completed", 50, 50, 50, 0, 0)
    assert len(room.images()) == 50
    assert describe.described <= 50 + 6 * TURN  # only what was not committed is done again


def test_stopping_again_and_again_loses_and_doubles_nothing(room):
    room.write_colours(40)
    room.write({"many/bad.png": b"bad", "many/again.png": png(colours(1)[0])})
    job = room.train()
    seen = 0
    for _ in range(200):
        before = room.job(job).done
        room.work(
            until=lambda before=before: (
                room.job(job).done > before or not room.catalogue.jobs.open()
            )
        )
        now = room.job(job)
        assert now.done >= seen  # counters never go back
        seen = now.done
        if now.state is JobState.COMPLETED:
            break
    assert counted(room.job(job)) == ("completed", 42, 42, 40, 1, 1)
    assert len(room.images()) == 40


def test_a_killed_worker_is_followed_by_one_that_goes_on(tmp_path):
    before = Room(tmp_path)
    before.write_colours(60)
    job = before.train()
    before.catalogue.__exit__()
    script = f"""
        import sys
        sys.path[:0] = [{str(PROJECT)!r}, {str(Path(__file__).parent)!r}]
        from test_worker import *
        room = Room(Path({str(tmp_path)!r}))
        describe = Colours()
        describe.go_on, describe.before_wait = asyncio.Event(), 3 * TURN
        room.count_commit = lambda: print(room.catalogue.jobs.open()[0].done, flush=True)
        room.work(describe)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with child(command, stdout=subprocess.PIPE, text=True) as worker:
        acknowledged = [int(worker.stdout.readline()) for _ in range(3)][-1]
    room = Room(tmp_path)
    with room.catalogue:
        left = room.job(job)
        assert acknowledged <= left.done < 60
        room.work()
        assert counted(room.job(job)) == ("completed", 60, 60, 60, 0, 0)
        assert len(room.images()) == 60


@pytest.mark.timeout(120)
def test_a_worker_that_is_woken_while_it_stops_stops(room):
    async def run():
        async with room.worker(Colours()) as worker:
            await asyncio.sleep(0.03)  # until it waits for work
            worker.wake()

    for _ in range(5):
        asyncio.run(run())


def test_stopping_does_not_wait_for_a_long_walk(room):
    for n in range(6000):
        (room.pictures / f"{n}.txt").touch()
    job = room.train()
    walk = room.roots.walk

    def slowly(*arguments, **options):
        for number, listed in enumerate(walk(*arguments, **options)):
            time.sleep(0.005 if number > 1000 else 0)
            yield listed

    room.roots.walk = slowly
    room.work(until=lambda: room.job(job).total >= 500)
    room.roots.walk = walk
    stopped = room.job(job)
    assert not stopped.walked
    assert stopped.total < 6000
    with room.catalogue.database.writing() as connection:  # nobody writes any more
        connection.exec_driver_sql("UPDATE job_files SET state = 'failed', code = 'x', detail = ''")
        connection.exec_driver_sql("UPDATE jobs SET failed = total")
    room.work(until=lambda: room.job(job).walked)
    assert room.job(job).total == 6000


# Canceling


def test_a_canceled_job_stops_within_a_batch_and_ends_its_walk(room):
    room.write_colours(100)
    job = room.train()
    describe = Colours()
    describe.go_on, describe.before_wait = asyncio.Event(), TURN

    async def run():
        async with room.worker(describe) as worker:
            await wait_until_async(lambda: room.job(job).done >= TURN and describe.waiting)
            room.catalogue.job_control.cancel(job.id)
            worker.drop(job.number)
            at_once = room.job(job)
            calls = describe.calls
            describe.go_on.set()
            other = room.upload(png("white"))
            worker.wake()
            await wait_until_async(lambda: room.job(other).state is JobState.COMPLETED)
            assert room.job(job) == at_once
            assert describe.calls == calls + 1  # the other job's
            assert not worker.rates.per_second(job.number, time.monotonic())

    asyncio.run(run())
    assert len(room.images()) == room.job(job).indexed + 1


def test_a_canceled_walk_ends_though_it_finds_nothing(room):
    job = room.train()
    seen = []

    def slow(*given, **options):
        for n in itertools.count():
            seen.append(n)
            time.sleep(0.01)
            yield Listed(f"{n}.txt", 1, 1, 1)

    room.roots.walk = slow

    async def run():
        async with room.worker(Colours()) as worker:
            await wait_until_async(lambda: len(seen) > 5)
            room.catalogue.job_control.cancel(job.id)
            worker.drop(job.number)
            walked = -1
            while walked != len(seen):  # until the walk makes no more steps
                walked = len(seen)
                await asyncio.sleep(0.2)

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
    ended = room.job(job)
    assert (ended.state, ended.walked, ended.total) == (JobState.CANCELED, False, 0)


def test_a_job_that_is_canceled_by_another_process_is_dropped_too(room):
    room.write_colours(60)
    job = room.train()
    describe = Colours()
    describe.go_on, describe.before_wait = asyncio.Event(), TURN

    async def run():
        async with room.worker(describe) as worker:
            await wait_until_async(lambda: room.job(job).done >= TURN)
            room.catalogue.job_control.cancel(job.id)
            at_once = room.job(job)
            describe.go_on.set()
            await wait_until_async(lambda: not worker._turns)
            await asyncio.sleep(0.2)
            assert room.job(job) == at_once

    asyncio.run(run())


# Turns and memory


def test_a_picture_does_not_wait_behind_a_long_folder(room):
    room.write_colours(100)
    long = room.train()
    describe = Colours()
    describe.pause = 0.01
    seen = []

    async def run():
        async with room.worker(describe) as worker:
            await wait_until_async(lambda: room.job(long).done > 0)
            short = room.upload(png("white"))
            worker.wake()
            await wait_until_async(lambda: room.job(short).state is JobState.COMPLETED)
            seen.append(room.job(long))

    asyncio.run(run())
    assert seen[0].done < 80
    assert seen[0].state is JobState.IN_PROGRESS


def test_a_new_upload_is_next_however_many_jobs_are_open(room):
    for n in range(50):
        room.write({f"{n}/{k}.png": png((n, k, 9)) for k in range(TURN)})
    folders = [room.train(str(n)) for n in range(50)]
    describe = Colours()
    describe.pause = 0.002

    async def run():
        async with room.worker(describe) as worker:
            await wait_until_async(lambda: room.job(folders[2]).done >= TURN)
            done = describe.described
            uploads = [room.upload(png((n, n, 200))) for n in (1, 2)]
            worker.wake()
            await wait_until_async(lambda: room.job(uploads[1]).state is JobState.COMPLETED)
            since = [n for n, blue in enumerate(describe.blues[done:], 1) if blue > 100]
            assert len(since) == 2
            assert since[1] <= 6 * TURN  # there are 47 turns before its own
            assert room.job(uploads[0]).state is JobState.COMPLETED

    asyncio.run(run())


def test_a_stream_of_new_jobs_does_not_stop_the_old_ones(room):
    for n in range(3):
        room.write({f"{n}/{k}.png": png((n, k, 9)) for k in range(4 * TURN)})
    folders = [room.train(str(n)) for n in range(3)]
    look, made = room.catalogue.jobs.open, []

    async def run():
        async with room.worker(Colours()) as worker:
            loop = asyncio.get_running_loop()

            def another_comes(*, after=0):
                """Whenever new jobs are looked for, one more is on its way."""
                if after and len(made) < 150:
                    made.append(room.upload(png((len(made), 0, 250))))
                    loop.call_soon_threadsafe(worker.wake)
                return look(after=after)

            room.catalogue.jobs.open = another_comes

            def is_over():
                worker.wake()
                return all(room.job(one).state.is_final for one in folders)

            await wait_until_async(is_over)
            assert 0 < len(made) < 150

    asyncio.run(run())


def test_only_a_few_turns_are_in_memory_whatever_the_number_of_files(room):
    room.write_colours(150)
    room.train()
    describe = Colours()

    async def run():
        describe.go_on = asyncio.Event()
        async with room.worker(describe):
            await wait_until_async(lambda: describe.calls > 0)
            read = -1
            while read != room.looked_up:  # until it reads no further
                read = room.looked_up
                await asyncio.sleep(0.3)
            assert TURN <= read <= 4 * TURN
            describe.go_on.set()
            await wait_until_async(lambda: not room.catalogue.jobs.open())

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
    assert len(room.images()) == 150


def test_the_next_turn_is_read_while_a_slow_file_is_still_read(room):
    room.write_colours(3 * TURN)
    room.train()
    slow = threading.Event()
    look_up = room.catalogue.images.known

    def known(collection_id, sha256):
        if room.looked_up == 1:
            assert slow.wait(WAIT_SECONDS)
        return look_up(collection_id, sha256)

    room.catalogue.images.known = known

    async def run():
        async with room.worker(Colours()):
            await wait_until_async(lambda: room.looked_up > TURN)
            assert not room.images()  # the first turn is not whole
            slow.set()
            await wait_until_async(lambda: not room.catalogue.jobs.open())

    asyncio.run(run())
    assert len(room.images()) == 3 * TURN


@pytest.mark.parametrize("batch", [1, 2, 20])
def test_as_many_pictures_are_described_together_as_the_engine_likes(room, batch):
    room.write_colours(45)
    room.train()
    describe = Colours()

    async def run():
        async with room.worker(describe, batch=batch):
            await wait_until_async(lambda: not room.catalogue.jobs.open())

    asyncio.run(run())
    assert describe.largest == batch
    assert len(room.images()) == 45


def test_many_long_walks_leave_threads_for_searches(room):
    for folder in range(20):
        room.write({f"{folder}/{n}.txt": b"" for n in range(3)})
        room.catalogue.jobs.start(room.train(str(folder)).number)

    async def run():
        replica = room.join()
        other = sqlite3.connect(room.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # every walk waits to write its first rows
        async with room.worker(Colours(), replica=replica):
            await asyncio.sleep(0.5)
            async with asyncio.timeout(20):  # the walks wait for thirty seconds
                await asyncio.gather(*(asyncio.to_thread(lambda: None) for _ in range(3)))
            other.execute("ROLLBACK")
            other.close()
            await wait_until_async(lambda: not room.catalogue.jobs.open())

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


# Trouble


def test_a_catalogue_that_is_away_while_files_are_read_is_waited_for(room):
    room.write_colours(2 * TURN)
    job = room.train()
    look_up = room.catalogue.images.known

    def known(collection_id, sha256):
        if room.looked_up % 3 == 1:
            raise CatalogueUnavailable("the server has gone away")
        return look_up(collection_id, sha256)

    room.catalogue.images.known = known
    room.work()
    assert counted(room.job(job)) == ("completed", 2 * TURN, 2 * TURN, 2 * TURN, 0, 0)
    assert room.looked_up > 2 * TURN


def test_an_embedder_that_is_away_is_waited_for(room):
    room.write_colours(10)
    job = room.train()
    describe = Colours()
    describe.not_ready = 5
    room.work(describe)
    assert counted(room.job(job)) == ("completed", 10, 10, 10, 0, 0)


def test_while_the_embedder_is_away_the_event_loop_goes_on(room):
    room.write_colours(3)
    room.train()
    describe = Colours()
    describe.not_ready = 10**9

    async def run():
        async with room.worker(describe):
            await wait_until_async(lambda: describe.calls >= 2)
            calls, turns = describe.calls, 0
            while describe.calls < calls + 10:
                turns += 1
                await asyncio.sleep(0)
            assert turns > 100  # the loop turns many times between two calls

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_a_collection_deleted_under_way_fails_its_job_and_no_other(room):
    dogs = room.catalogue.collections.create("dogs", SPACE)
    room.write_colours(40)
    doomed = room.train()
    describe = Colours()

    async def run():
        describe.go_on = asyncio.Event()
        async with room.worker(describe) as worker:
            await wait_until_async(lambda: describe.calls > 0)
            room.catalogue.collections.delete(room.cats.id)
            describe.go_on.set()
            await wait_until_async(lambda: room.job(doomed).state is JobState.FAILED)
            request = TrainRequest(path=".", collection="dogs")
            next_one = start_folder_job(room.catalogue, room.roots, Computed((SPACE,)), request)
            worker.wake()
            await wait_until_async(lambda: room.job(next_one).state is JobState.COMPLETED)

    asyncio.run(run())
    assert "deleted" in room.job(doomed).detail
    assert room.catalogue.images.count(dogs.id) == 40


def test_a_job_whose_collection_went_before_it_began_fails(room):
    room.write_colours(3)
    job = room.train()
    room.catalogue.collections.delete(room.cats.id)
    room.work()
    assert room.job(job).state is JobState.FAILED
    assert room.job(job).detail == "the collection was deleted"


def test_another_collection_of_the_same_name_does_not_get_the_old_jobs_images(room):
    room.write_colours(3)
    job = room.train()
    room.catalogue.collections.delete(room.cats.id)
    again = room.catalogue.collections.create("cats", SPACE)
    room.work()
    assert room.job(job).state is JobState.FAILED
    assert room.catalogue.images.count(again.id) == 0


def test_a_job_left_from_another_model_fails_and_mixes_nothing(room):
    """The service was stopped in the middle of a job and started with a new model."""
    room.write_colours(30)
    job = room.train()
    describe = Colours()
    describe.go_on, describe.before_wait = asyncio.Event(), TURN
    room.work(describe, until=lambda: room.job(job).done > 0)
    before = len(room.images())
    room.work(space=replace(SPACE, model="vgg16:two", fingerprint="e" * 64))
    left = room.job(job)
    assert left.state is JobState.FAILED
    assert "start the service with the model vgg16:one" in left.detail
    assert len(room.images()) == before < 30


def test_a_folder_that_vanished_before_its_walk_fails_the_job(room):
    room.write_colours(3)
    job = room.train("many")
    (room.pictures / "many").rename(room.pictures / "elsewhere")
    room.work()
    assert room.job(job).state is JobState.FAILED
    assert "'many' does not exist" in room.job(job).detail


def test_a_root_that_vanished_fails_the_job_without_telling_its_path(room):
    job = room.train()
    room.pictures.rename(room.pictures.parent / "unmounted")
    room.work()
    assert room.job(job).state is JobState.FAILED
    assert "image root 'pictures'" in room.job(job).detail
    assert str(room.pictures) not in room.job(job).detail


def test_files_that_vanish_after_their_walk_are_failures_of_their_own(room):
    room.write_colours(60)
    job = room.train()

    async def run():
        describe = Colours()
        describe.go_on = asyncio.Event()
        async with room.worker(describe):
            await wait_until_async(lambda: describe.calls > 0 and room.job(job).walked)
            shutil.rmtree(room.pictures / "many")
            describe.go_on.set()
            await wait_until_async(lambda: not room.catalogue.jobs.open())

    asyncio.run(run())
    done = room.job(job)
    assert (done.state, done.done) == (JobState.COMPLETED, 60)
    assert 60 - 4 * TURN <= done.failed < 60  # at most four turns had been read
    codes = {f.code for f in room.catalogue.jobs.failures(job.number, after=0, limit=99)}
    assert codes == {"path_not_found"}


def test_a_known_picture_that_is_deleted_meanwhile_is_described_after_all(room):
    room.write({"1.png": png("red")})
    room.train()
    room.work()
    room.write({"2.png": png("green")})
    job = room.train()
    describe = Colours()

    async def run():
        describe.go_on = asyncio.Event()
        async with room.worker(describe):
            await wait_until_async(lambda: describe.calls > 0)  # with 2.png, and 1.png was known
            room.catalogue.images.delete_all(room.cats.id)
            describe.go_on.set()
            await wait_until_async(lambda: not room.catalogue.jobs.open())

    asyncio.run(run())
    assert counted(room.job(job)) == ("completed", 2, 2, 2, 0, 0)
    assert [image.sources[0].path for image in room.images()] == ["2.png", "1.png"]


@pytest.mark.parametrize("when", ["before the walk", "before a commit"])
def test_a_full_disk_is_waited_out(when, small_disk, tmp_path):
    room = Room(small_disk)
    room.pictures = tmp_path / "pictures"
    room.pictures.mkdir()
    room.roots = ImageRoots([ImageRoot("pictures", room.pictures)])
    room.write_colours(60)
    with room.catalogue:
        job = room.train()

        def fill():
            with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(512))

        async def run():
            describe, replica = Colours(), room.join()
            describe.go_on = asyncio.Event()
            if when == "before the walk":
                fill()
            async with room.worker(describe, replica=replica) as worker:
                if when == "before a commit":
                    await wait_until_async(lambda: describe.calls > 0 and room.job(job).walked)
                    fill()
                describe.go_on.set()
                await asyncio.sleep(1.0)
                assert worker.alive
                assert room.job(job).state in (JobState.PENDING, JobState.IN_PROGRESS)
                (small_disk / "filler").unlink()
                await wait_until_async(lambda: room.job(job).state is JobState.COMPLETED)

        asyncio.run(run())
        assert counted(room.job(job)) == ("completed", 60, 60, 60, 0, 0)


def test_a_catalogue_that_others_lock_is_waited_for(room):
    room.write_colours(20)
    job = room.train()
    released = threading.Event()

    def lock():
        other = sqlite3.connect(room.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(0.7)
        other.execute("ROLLBACK")
        other.close()
        released.set()

    thread = threading.Thread(target=lock)
    thread.start()
    room.work()
    join(thread)
    assert released.is_set()
    assert counted(room.job(job)) == ("completed", 20, 20, 20, 0, 0)


# What a walk skips


def test_a_job_says_what_it_skipped_and_the_log_too(room, caplog):
    caplog.set_level(logging.INFO, "bento_service.ingest")
    room.write({"a/one.png": png("red"), "a/._one.png": b"x", "a/Thumbs.db": b"x"})
    (room.pictures / "a" / "link.png").symlink_to("one.png")
    job = room.train()
    room.work()
    done = room.job(job)
    assert (done.total, done.indexed, done.failed) == (1, 1, 0)
    assert done.skipped == (
        SkippedRecord("clutter", 2, "a/._one.png"),
        SkippedRecord("link", 1, "a/link.png"),
    )
    assert f"job {job.id} skipped 2 (clutter): a/._one.png" in caplog.text


def test_links_under_the_root_are_indexed_by_their_own_names_and_read_again(room):
    room.write({"annex/abc.png": png("red"), "annex/def.png": png("blue")})
    (room.pictures / "2024").mkdir()
    for name, key in (("a.png", "abc"), ("b.png", "def")):
        (room.pictures / "2024" / name).symlink_to(f"../annex/{key}.png")
    job = room.train("2024", follow_links=True)
    room.work()
    assert (room.job(job).indexed, room.job(job).skipped) == (2, ())
    images = room.images()
    assert {image.sources[0].path for image in images} == {"2024/a.png", "2024/b.png"}
    for image in images:
        assert Originals(room.roots, room.uploads.blobs).read(image).startswith(b"\x89PNG")
    again = room.train("2024", follow_links=True, prune=True)
    room.work()
    assert (room.job(again).duplicates, room.job(again).removed) == (2, 0)
    pruned = room.train(".", prune=True)
    room.work()
    assert (room.job(pruned).removed, len(room.images())) == (0, 2)


def test_a_retry_counts_what_it_skips_by_itself(room):
    room.write({"bad.png": b"no picture", ".DS_Store": b"x"})
    job = room.train()
    room.work()
    assert room.job(job).skipped
    retry = room.catalogue.jobs.get(room.catalogue.job_control.retry(room.job(job)))
    assert retry.skipped == ()


def test_a_folder_in_another_normal_form_is_trained_under_its_own_name(room):
    decomposed = "Mu\u0308ller"
    room.write({f"{decomposed}/a.png": png("red")})
    for typed in ("M\u00fcller", decomposed):
        job = room.train(typed)
        room.work()
        assert (room.job(job).path, room.job(job).total) == (decomposed, 1)
    (image,) = room.images()
    assert [source.path for source in image.sources] == [f"{decomposed}/a.png"]
