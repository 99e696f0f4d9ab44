"""A worker whose catalogue, embedder, disk, files or collection fail."""

import asyncio
import shutil
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from bento_service.catalogue.records import Computed
from bento_service.errors import CatalogueUnavailable
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.ingest.worker.worker import TURN
from bento_service.requests import TrainRequest
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from client_sdk.schemas import JobState
from tests.support.ingesting import SPACE, ColourEmbedder, Ingest, counted
from tests.support.pictures import png
from tests.support.waiting import WAIT_SECONDS, join, wait_until_async


def test_a_catalogue_that_is_away_while_files_are_read_is_waited_for(ingest):
    ingest.write_colours(2 * TURN)
    job = ingest.train()
    look_up = ingest.catalogue.images.known

    def known(collection_id, sha256):
        if ingest.looked_up % 3 == 1:
            raise CatalogueUnavailable("the server has gone away")
        return look_up(collection_id, sha256)

    ingest.catalogue.images.known = known
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", 2 * TURN, 2 * TURN, 2 * TURN, 0, 0)
    assert ingest.looked_up > 2 * TURN


def test_files_whose_lease_was_committed_without_an_answer_are_described(ingest):
    ingest.write_colours(10 * TURN)
    job = ingest.train()
    take, taken = ingest.catalogue.leases.take, []

    def take_without_answer(job, **options):
        if files := take(job, **options):
            taken.append(files)
            if len(taken) in (2, 3):
                raise CatalogueUnavailable("the server has gone away")
        return files

    ingest.catalogue.leases.take = take_without_answer
    ingest.work()
    assert counted(ingest.job(job)) == ("completed", *[10 * TURN] * 3, 0, 0)
    assert len(taken) > 3


def test_an_embedder_that_is_away_is_waited_for(ingest):
    ingest.write_colours(10)
    job = ingest.train()
    describe = ColourEmbedder()
    describe.not_ready = 5
    ingest.work(describe)
    assert counted(ingest.job(job)) == ("completed", 10, 10, 10, 0, 0)


def test_while_the_embedder_is_away_the_event_loop_goes_on(ingest):
    ingest.write_colours(3)
    ingest.train()
    describe = ColourEmbedder()
    describe.not_ready = 10**9

    async def run():
        async with ingest.worker(describe):
            await wait_until_async(lambda: describe.calls >= 2)
            calls, turns = describe.calls, 0
            while describe.calls < calls + 10:
                turns += 1
                await asyncio.sleep(0)
            assert turns > 100  # the loop turns many times between two calls

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_a_collection_deleted_under_way_fails_its_job_and_no_other(ingest):
    dogs = ingest.catalogue.collections.create("dogs", SPACE)
    ingest.write_colours(40)
    doomed = ingest.train()
    describe = ColourEmbedder()

    async def run():
        describe.go_on = asyncio.Event()
        async with ingest.worker(describe) as worker:
            await wait_until_async(lambda: describe.calls > 0)
            ingest.catalogue.collections.delete(ingest.cats.id)
            describe.go_on.set()
            await wait_until_async(lambda: ingest.job(doomed).state is JobState.FAILED)
            request = TrainRequest(path=".", collection="dogs")
            next_one = start_folder_job(ingest.catalogue, ingest.roots, Computed((SPACE,)), request)
            worker.wake()
            await wait_until_async(lambda: ingest.job(next_one).state is JobState.COMPLETED)

    asyncio.run(run())
    assert "deleted" in ingest.job(doomed).detail
    assert ingest.catalogue.images.count(dogs.id) == 40


def test_a_job_whose_collection_went_before_it_began_fails(ingest):
    ingest.write_colours(3)
    job = ingest.train()
    ingest.catalogue.collections.delete(ingest.cats.id)
    ingest.work()
    assert ingest.job(job).state is JobState.FAILED
    assert ingest.job(job).detail == "the collection was deleted"


def test_another_collection_of_the_same_name_does_not_get_the_old_jobs_images(ingest):
    ingest.write_colours(3)
    job = ingest.train()
    ingest.catalogue.collections.delete(ingest.cats.id)
    again = ingest.catalogue.collections.create("cats", SPACE)
    ingest.work()
    assert ingest.job(job).state is JobState.FAILED
    assert ingest.catalogue.images.count(again.id) == 0


def test_a_job_left_from_another_model_fails_and_mixes_nothing(ingest):
    """The service was stopped in the middle of a job and started with a new model."""
    ingest.write_colours(30)
    job = ingest.train()
    describe = ColourEmbedder.waiting_after(1)
    ingest.work(describe, until=lambda: ingest.job(job).done > 0)
    before = len(ingest.images())
    ingest.work(space=replace(SPACE, model="vgg16:two", fingerprint="e" * 64))
    left = ingest.job(job)
    assert left.state is JobState.FAILED
    assert "start the service with the model vgg16:one" in left.detail
    assert len(ingest.images()) == before < 30


def test_a_folder_that_vanished_before_its_walk_fails_the_job(ingest):
    ingest.write_colours(3)
    job = ingest.train("many")
    (ingest.pictures / "many").rename(ingest.pictures / "elsewhere")
    ingest.work()
    assert ingest.job(job).state is JobState.FAILED
    assert "'many' does not exist" in ingest.job(job).detail


def test_a_root_that_vanished_fails_the_job_without_telling_its_path(ingest):
    job = ingest.train()
    ingest.pictures.rename(ingest.pictures.parent / "unmounted")
    ingest.work()
    assert ingest.job(job).state is JobState.FAILED
    assert "image root 'pictures'" in ingest.job(job).detail
    assert str(ingest.pictures) not in ingest.job(job).detail


def test_files_that_vanish_after_their_walk_are_failures_of_their_own(ingest):
    ingest.write_colours(60)
    job = ingest.train()

    async def run():
        describe = ColourEmbedder()
        describe.go_on = asyncio.Event()
        async with ingest.worker(describe):
            await wait_until_async(lambda: describe.calls > 0 and ingest.job(job).walked)
            shutil.rmtree(ingest.pictures / "many")
            describe.go_on.set()
            await wait_until_async(lambda: not ingest.catalogue.jobs.open())

    asyncio.run(run())
    done = ingest.job(job)
    assert (done.state, done.done) == (JobState.COMPLETED, 60)
    assert 60 - 4 * TURN <= done.failed < 60  # at most four turns had been read
    codes = {f.code for f in ingest.catalogue.jobs.failures(job.number, after=0, limit=99)}
    assert codes == {"path_not_found"}


def test_a_known_picture_that_is_deleted_meanwhile_is_described_after_all(ingest):
    ingest.write({"1.png": png("red")})
    ingest.train()
    ingest.work()
    ingest.write({"2.png": png("green")})
    job = ingest.train()
    describe = ColourEmbedder()

    async def run():
        describe.go_on = asyncio.Event()
        async with ingest.worker(describe):
            await wait_until_async(lambda: describe.calls > 0)  # with 2.png, and 1.png was known
            ingest.catalogue.images.delete_all(ingest.cats.id)
            describe.go_on.set()
            await wait_until_async(lambda: not ingest.catalogue.jobs.open())

    asyncio.run(run())
    assert counted(ingest.job(job)) == ("completed", 2, 2, 2, 0, 0)
    assert [image.sources[0].path for image in ingest.images()] == ["2.png", "1.png"]


@pytest.mark.parametrize("when", ["before the walk", "before a commit"])
def test_a_full_disk_is_waited_out(when, small_disk, tmp_path):
    ingest = Ingest(small_disk)
    ingest.pictures = tmp_path / "pictures"
    ingest.pictures.mkdir()
    ingest.roots = ImageRoots([ImageRoot("pictures", ingest.pictures)])
    ingest.write_colours(60)
    with ingest.catalogue:
        job = ingest.train()

        def fill():
            with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(512))

        async def run():
            describe, replica = ColourEmbedder(), ingest.join()
            describe.go_on = asyncio.Event()
            if when == "before the walk":
                fill()
            async with ingest.worker(describe, replica=replica) as worker:
                if when == "before a commit":
                    await wait_until_async(lambda: describe.calls > 0 and ingest.job(job).walked)
                    fill()
                describe.go_on.set()
                await asyncio.sleep(1.0)
                assert worker.alive
                assert ingest.job(job).state in (JobState.PENDING, JobState.IN_PROGRESS)
                (small_disk / "filler").unlink()
                await wait_until_async(lambda: ingest.job(job).state is JobState.COMPLETED)

        asyncio.run(run())
        assert counted(ingest.job(job)) == ("completed", 60, 60, 60, 0, 0)


def test_a_catalogue_that_others_lock_is_waited_for(ingest):
    ingest.write_colours(20)
    job = ingest.train()
    released = threading.Event()

    def lock():
        other = sqlite3.connect(ingest.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        time.sleep(0.7)
        other.execute("ROLLBACK")
        other.close()
        released.set()

    thread = threading.Thread(target=lock)
    thread.start()
    ingest.work()
    join(thread)
    assert released.is_set()
    assert counted(ingest.job(job)) == ("completed", 20, 20, 20, 0, 0)
