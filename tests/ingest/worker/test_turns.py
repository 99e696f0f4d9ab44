"""The order in which jobs take turns, and the number of files in memory."""

import asyncio
import sqlite3
import threading

import pytest

from bento_service.ingest.worker.worker import TURN
from client_sdk.schemas import JobState
from tests.support.ingesting import ColourEmbedder
from tests.support.pictures import png
from tests.support.waiting import WAIT_SECONDS, wait_until_async


def test_a_picture_does_not_wait_behind_a_long_folder(ingest):
    ingest.write_colours(100)
    long = ingest.train()
    describe = ColourEmbedder()
    describe.pause = 0.01
    seen = []

    async def run():
        async with ingest.worker(describe) as worker:
            await wait_until_async(lambda: ingest.job(long).done > 0)
            short = ingest.upload(png("white"))
            worker.wake()
            await wait_until_async(lambda: ingest.job(short).state is JobState.COMPLETED)
            seen.append(ingest.job(long))

    asyncio.run(run())
    assert seen[0].done < 80
    assert seen[0].state is JobState.IN_PROGRESS


def test_a_new_upload_is_next_however_many_jobs_are_open(ingest):
    for n in range(50):
        ingest.write({f"{n}/{k}.png": png((n, k, 9)) for k in range(TURN)})
    folders = [ingest.train(str(n)) for n in range(50)]
    describe = ColourEmbedder()
    describe.pause = 0.002

    async def run():
        async with ingest.worker(describe) as worker:
            await wait_until_async(lambda: ingest.job(folders[2]).done >= TURN)
            done = describe.described
            uploads = [ingest.upload(png((n, n, 200))) for n in (1, 2)]
            worker.wake()
            await wait_until_async(lambda: ingest.job(uploads[1]).state is JobState.COMPLETED)
            since = [n for n, blue in enumerate(describe.blues[done:], 1) if blue > 100]
            assert len(since) == 2
            assert since[1] <= 6 * TURN  # there are 47 turns before its own
            assert ingest.job(uploads[0]).state is JobState.COMPLETED

    asyncio.run(run())


def test_a_stream_of_new_jobs_does_not_stop_the_old_ones(ingest):
    for n in range(3):
        ingest.write({f"{n}/{k}.png": png((n, k, 9)) for k in range(4 * TURN)})
    folders = [ingest.train(str(n)) for n in range(3)]
    look, made = ingest.catalogue.jobs.open, []

    async def run():
        async with ingest.worker(ColourEmbedder()) as worker:
            loop = asyncio.get_running_loop()

            def another_comes(*, after=0):
                """Start one more job at each look for new jobs."""
                if after and len(made) < 150:
                    made.append(ingest.upload(png((len(made), 0, 250))))
                    loop.call_soon_threadsafe(worker.wake)
                return look(after=after)

            ingest.catalogue.jobs.open = another_comes

            def is_over():
                worker.wake()
                return all(ingest.job(one).state.is_final for one in folders)

            await wait_until_async(is_over)
            assert 0 < len(made) < 150

    asyncio.run(run())


def test_only_a_few_turns_are_in_memory_whatever_the_number_of_files(ingest):
    ingest.write_colours(150)
    ingest.train()
    describe = ColourEmbedder()

    async def run():
        describe.go_on = asyncio.Event()
        async with ingest.worker(describe):
            await wait_until_async(lambda: describe.calls > 0)
            read = -1
            while read != ingest.looked_up:  # until it reads no further
                read = ingest.looked_up
                await asyncio.sleep(0.3)
            assert TURN <= read <= 4 * TURN
            describe.go_on.set()
            await wait_until_async(lambda: not ingest.catalogue.jobs.open())

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
    assert len(ingest.images()) == 150


def test_the_next_turn_is_read_while_a_slow_file_is_still_read(ingest):
    ingest.write_colours(3 * TURN)
    ingest.train()
    slow = threading.Event()
    look_up = ingest.catalogue.images.known

    def known(collection_id, sha256):
        if ingest.looked_up == 1:
            assert slow.wait(WAIT_SECONDS)
        return look_up(collection_id, sha256)

    ingest.catalogue.images.known = known

    async def run():
        async with ingest.worker(ColourEmbedder()):
            await wait_until_async(lambda: ingest.looked_up > TURN)
            assert not ingest.images()  # the first turn is not whole
            slow.set()
            await wait_until_async(lambda: not ingest.catalogue.jobs.open())

    asyncio.run(run())
    assert len(ingest.images()) == 3 * TURN


@pytest.mark.parametrize("batch", [1, 2, 20])
def test_as_many_pictures_are_described_together_as_the_engine_likes(ingest, batch):
    ingest.write_colours(45)
    ingest.train()
    describe = ColourEmbedder()

    async def run():
        async with ingest.worker(describe, batch=batch):
            await wait_until_async(lambda: not ingest.catalogue.jobs.open())

    asyncio.run(run())
    assert describe.largest == batch
    assert len(ingest.images()) == 45


def test_many_long_walks_leave_threads_for_searches(ingest):
    for folder in range(20):
        ingest.write({f"{folder}/{n}.txt": b"" for n in range(3)})
        ingest.catalogue.jobs.start(ingest.train(str(folder)).number)

    async def run():
        replica = ingest.join()
        other = sqlite3.connect(ingest.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # every walk waits to write its first rows
        async with ingest.worker(ColourEmbedder(), replica=replica):
            await asyncio.sleep(0.5)
            async with asyncio.timeout(20):  # the walks wait for thirty seconds
                await asyncio.gather(*(asyncio.to_thread(lambda: None) for _ in range(3)))
            other.execute("ROLLBACK")
            other.close()
            await wait_until_async(lambda: not ingest.catalogue.jobs.open())

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
