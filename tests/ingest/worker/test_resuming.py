"""Jobs that are resumed after a stop or a kill, and jobs that are cancelled."""

import asyncio
import itertools
import subprocess
import sys
import textwrap
import time

import pytest

from bento_service.catalogue.records import Stamp
from bento_service.ingest.worker.worker import TURN
from bento_service.storage.root import Listed
from client_sdk.schemas import JobState
from tests.support.ingesting import ColourEmbedder, Ingest, colours, counted
from tests.support.models import PROJECT
from tests.support.pictures import png
from tests.support.processes import child
from tests.support.waiting import WAIT_SECONDS, wait_until_async

# Resuming after a stop


def test_a_worker_that_was_stopped_is_followed_by_one_that_goes_on(ingest):
    ingest.write_colours(50)
    job = ingest.train()
    describe = ColourEmbedder.waiting_after(2)
    ingest.work(describe, until=lambda: ingest.job(job).done >= 2 * TURN)
    stopped = ingest.job(job)
    assert stopped.state is JobState.IN_PROGRESS
    assert 2 * TURN <= stopped.done < 50
    describe.go_on = None
    ingest.work(describe)
    assert counted(ingest.job(job)) == ("completed", 50, 50, 50, 0, 0)
    assert len(ingest.images()) == 50
    assert describe.described <= 50 + 6 * TURN  # only what was not committed is done again


def test_stopping_again_and_again_loses_and_doubles_nothing(ingest):
    ingest.write_colours(40)
    ingest.write({"many/bad.png": b"bad", "many/again.png": png(colours(1)[0])})
    job = ingest.train()
    seen = 0
    for _ in range(200):
        before = ingest.job(job).done
        ingest.work(
            until=lambda before=before: (
                ingest.job(job).done > before or not ingest.catalogue.jobs.open()
            )
        )
        now = ingest.job(job)
        assert now.done >= seen  # counters never go back
        seen = now.done
        if now.state is JobState.COMPLETED:
            break
    assert counted(ingest.job(job)) == ("completed", 42, 42, 40, 1, 1)
    assert len(ingest.images()) == 40


def test_a_killed_worker_is_followed_by_one_that_goes_on(tmp_path):
    before = Ingest(tmp_path)
    before.write_colours(60)
    job = before.train()
    before.catalogue.__exit__()
    script = f"""
        import sys
        sys.path.insert(0, {str(PROJECT)!r})
        from pathlib import Path
        from tests.support.ingesting import ColourEmbedder, Ingest
        ingest = Ingest(Path({str(tmp_path)!r}))
        describe = ColourEmbedder.waiting_after(3)
        ingest.count_commit = lambda: print(ingest.catalogue.jobs.open()[0].done, flush=True)
        ingest.work(describe)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with child(command, stdout=subprocess.PIPE, text=True) as worker:
        acknowledged = [int(worker.stdout.readline()) for _ in range(3)][-1]
    ingest = Ingest(tmp_path)
    with ingest.catalogue:
        left = ingest.job(job)
        assert acknowledged <= left.done < 60
        ingest.work()
        assert counted(ingest.job(job)) == ("completed", 60, 60, 60, 0, 0)
        assert len(ingest.images()) == 60


@pytest.mark.timeout(120)
def test_a_worker_that_is_woken_while_it_stops_stops(ingest):
    async def run():
        async with ingest.worker(ColourEmbedder()) as worker:
            await asyncio.sleep(0.03)  # until it waits for work
            worker.wake()

    for _ in range(5):
        asyncio.run(run())


def test_stopping_does_not_wait_for_a_long_walk(ingest):
    for n in range(6000):
        (ingest.pictures / f"{n}.txt").touch()
    job = ingest.train()
    walk = ingest.roots.walk

    def slowly(*arguments, **options):
        for number, listed in enumerate(walk(*arguments, **options)):
            time.sleep(0.005 if number > 1000 else 0)
            yield listed

    ingest.roots.walk = slowly
    ingest.work(until=lambda: ingest.job(job).total >= 500)
    ingest.roots.walk = walk
    stopped = ingest.job(job)
    assert not stopped.walked
    assert stopped.total < 6000
    with ingest.catalogue.database.writing() as connection:  # nobody writes any more
        connection.exec_driver_sql("UPDATE job_files SET state = 'failed', code = 'x', detail = ''")
        connection.exec_driver_sql("UPDATE jobs SET failed = total")
    ingest.work(until=lambda: ingest.job(job).walked)
    assert ingest.job(job).total == 6000


# Canceling


def test_a_canceled_job_stops_within_a_batch_and_ends_its_walk(ingest):
    ingest.write_colours(100)
    job = ingest.train()
    describe = ColourEmbedder.waiting_after(1)

    async def run():
        async with ingest.worker(describe) as worker:
            await wait_until_async(lambda: ingest.job(job).done >= TURN and describe.waiting)
            ingest.catalogue.job_control.cancel(job.id)
            worker.drop(job.number)
            at_once = ingest.job(job)
            calls = describe.calls
            describe.go_on.set()
            other = ingest.upload(png("white"))
            worker.wake()
            await wait_until_async(lambda: ingest.job(other).state is JobState.COMPLETED)
            assert ingest.job(job) == at_once
            assert describe.calls == calls + 1  # the other job's
            assert not worker.rates.per_second(job.number, time.monotonic())

    asyncio.run(run())
    assert len(ingest.images()) == ingest.job(job).indexed + 1


def test_a_canceled_walk_ends_though_it_finds_nothing(ingest):
    job = ingest.train()
    seen = []

    def slow(*given, **options):
        for n in itertools.count():
            seen.append(n)
            time.sleep(0.01)
            yield Listed(f"{n}.txt", Stamp(1, 1))

    ingest.roots.walk = slow

    async def run():
        async with ingest.worker(ColourEmbedder()) as worker:
            await wait_until_async(lambda: len(seen) > 5)
            ingest.catalogue.job_control.cancel(job.id)
            worker.drop(job.number)
            walked = -1
            while walked != len(seen):  # until the walk makes no more steps
                walked = len(seen)
                await asyncio.sleep(0.2)

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))
    ended = ingest.job(job)
    assert (ended.state, ended.walked, ended.total) == (JobState.CANCELED, False, 0)


def test_a_job_that_is_canceled_by_another_process_is_dropped_too(ingest):
    ingest.write_colours(60)
    job = ingest.train()
    describe = ColourEmbedder.waiting_after(1)

    async def run():
        async with ingest.worker(describe) as worker:
            await wait_until_async(lambda: ingest.job(job).done >= TURN)
            ingest.catalogue.job_control.cancel(job.id)
            at_once = ingest.job(job)
            describe.go_on.set()
            await wait_until_async(lambda: not worker._turns)
            await asyncio.sleep(0.2)
            assert ingest.job(job) == at_once

    asyncio.run(run())
