"""The order of the engine's runs: queries first, at least a fifth for jobs, own rows for each.

The engine here computes only when a test lets it, so that the order is the same on every machine.
"""

import asyncio
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bento_service.descriptors.engine_queue import QUERIES_A_TURN, EngineQueue
from bento_service.errors import NotReady
from tests.support.waiting import WAIT_SECONDS


class SteppedEngine:
    """Computes a run whenever a test calls `step`; keeps the pictures of each run, by their values.

    A picture is one number, and so is its row: that number and a half.
    """

    def __init__(self):
        self.runs = []
        self._may = threading.Semaphore(0)
        self._begun = threading.Semaphore(0)
        self.fails_on = None

    def describe(self, images):
        self.runs.append(images[:, 0].tolist())
        self._begun.release()
        assert self._may.acquire(timeout=WAIT_SECONDS)
        if self.fails_on in self.runs[-1]:
            raise ValueError("this picture")
        return images.astype(np.float32) + 0.5

    def step(self, runs=1):
        for _ in range(runs):
            assert self._begun.acquire(timeout=WAIT_SECONDS)
            self._may.release()

    def wait_for_run(self):
        assert self._begun.acquire(timeout=WAIT_SECONDS)
        self._begun.release()


@contextmanager
def stepped(*, query_run=8, ingest_run=2):
    engine = SteppedEngine()
    queue = EngineQueue(engine.describe, query_run=query_run, ingest_run=ingest_run)
    try:
        yield engine, queue
    finally:
        for _ in range(1000):
            engine._may.release()
        queue.close()


def pictures(*values):
    return np.array(values, np.uint8).reshape(-1, 1)


async def asked(describe, *values):
    """Return a task whose request is in the queue."""
    task = asyncio.create_task(describe(pictures(*values)))
    await asyncio.sleep(0)
    return task


def test_a_query_waits_for_one_run_of_a_job_however_much_the_job_has_sent():
    async def run():
        with stepped() as (engine, queue):
            job = [await asked(queue.describe_ingest, *range(at, at + 8)) for at in (10, 20)]
            engine.wait_for_run()
            query = await asked(queue.describe_query, 1)
            await asyncio.to_thread(engine.step, 2)
            rows = await query
            await asyncio.to_thread(engine.step, 7)
            return engine.runs, rows, [await one for one in job]

    runs, rows, job = asyncio.run(run())
    assert runs[:3] == [[10, 11], [1], [12, 13]]
    assert rows.tolist() == [[1.5]]
    assert [one[:, 0].tolist() for one in job] == [
        [value + 0.5 for value in range(at, at + 8)] for at in (10, 20)
    ]


def test_messages_of_jobs_are_computed_in_their_order_and_queries_in_theirs():
    async def run():
        with stepped() as (engine, queue):
            first = await asked(queue.describe_ingest, 99)
            engine.wait_for_run()
            jobs = [await asked(queue.describe_ingest, at, at + 1, at + 2) for at in (10, 20)]
            queries = [await asked(queue.describe_query, value) for value in (1, 2, 3)]
            await asyncio.to_thread(engine.step, 8)
            await asyncio.gather(first, *jobs, *queries)
            return engine.runs

    assert asyncio.run(run()) == [[99], [1], [2], [3], [10, 11], [12], [20, 21], [22]]


@pytest.mark.parametrize("size", [1, 3, 8, 20])
@pytest.mark.parametrize("ingest_run", [2, 32])
def test_under_a_stream_of_queries_jobs_get_their_share(size, ingest_run):
    """A query is always waiting, and yet jobs get a run after so many pictures of queries."""

    async def run():
        with stepped(query_run=size, ingest_run=ingest_run) as (engine, queue):
            job = await asked(queue.describe_ingest, *[200] * (5 * ingest_run))
            queries = [
                await asked(queue.describe_query, *[1] * size)
                for _ in range(6 * QUERIES_A_TURN * ingest_run)
            ]
            for _ in range(6 * QUERIES_A_TURN * ingest_run):
                if job.done():
                    break
                await asyncio.to_thread(engine.step)
                await asyncio.sleep(0)
            waiting = sum(not query.done() for query in queries)
            await job
            return engine.runs, waiting

    runs, waiting = asyncio.run(run())
    assert waiting > 0
    since, between = 0, []
    for one in runs:
        if one[0] == 200:
            between.append(since)
            since = 0
        else:
            since += len(one)
    assert len(between) == 5
    assert max(between) <= max(QUERIES_A_TURN * ingest_run, size)
    assert min(between[1:]) > max(QUERIES_A_TURN * ingest_run - size, 0)  # and no more than it


def test_a_lone_query_now_and_then_never_waits_for_the_share_of_jobs():
    async def run():
        with stepped() as (engine, queue):
            job = await asked(queue.describe_ingest, *range(100, 150))
            for value in range(1, 11):
                engine.wait_for_run()
                query = await asked(queue.describe_query, value)
                await asyncio.to_thread(engine.step, 2)
                await query
            job.cancel()
            return engine.runs

    runs = asyncio.run(run())
    assert [one[0] for one in runs[1:20:2]] == list(range(1, 11))


def test_more_pictures_than_a_run_takes_are_computed_in_several():
    async def run():
        with stepped(query_run=3) as (engine, queue):
            query = await asked(queue.describe_query, *range(8))
            await asyncio.to_thread(engine.step, 3)
            return engine.runs, await query

    runs, rows = asyncio.run(run())
    assert runs == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert rows[:, 0].tolist() == [value + 0.5 for value in range(8)]


def test_a_cancelled_request_is_not_computed():
    async def run():
        with stepped() as (engine, queue):
            job = await asked(queue.describe_ingest, *range(10, 18))
            engine.wait_for_run()
            query = await asked(queue.describe_query, 1)
            other = await asked(queue.describe_query, 2)
            job.cancel()
            query.cancel()
            await asyncio.sleep(0)
            await asyncio.to_thread(engine.step, 2)
            await other
            return engine.runs

    assert asyncio.run(run()) == [[10, 11], [2]]


def test_a_run_that_fails_is_reported_to_its_caller_alone_and_the_next_goes_on():
    async def run():
        with stepped() as (engine, queue):
            engine.fails_on = 12
            job = await asked(queue.describe_ingest, *range(10, 18))
            engine.wait_for_run()
            query = await asked(queue.describe_query, 1)
            await asyncio.to_thread(engine.step, 3)
            with pytest.raises(ValueError, match="this picture"):
                await job
            rows = await query
            again = await asked(queue.describe_query, 2)
            await asyncio.to_thread(engine.step, 2)
            return rows, await again

    rows, again = asyncio.run(run())
    assert (rows.tolist(), again.tolist()) == ([[1.5]], [[2.5]])


def test_closing_ends_the_run_under_way_and_refuses_the_rest():
    before = set(threading.enumerate())  # a client of another test may keep an engine open

    async def run():
        with stepped() as (engine, queue):
            job = await asked(queue.describe_ingest, 10, 11, 12)
            engine.wait_for_run()
            query = await asked(queue.describe_query, 1)
            closing = asyncio.create_task(asyncio.to_thread(queue.close))
            with pytest.raises(NotReady, match="shutting down"):
                await query
            engine.step()
            await closing
            with pytest.raises(NotReady, match="shutting down"):
                await job
            with pytest.raises(NotReady, match="shutting down"):
                await queue.describe_query(pictures(2))
            return engine.runs, set(threading.enumerate())

    runs, threads = asyncio.run(run())
    assert runs == [[10, 11]]
    assert "engine" not in {thread.name for thread in threads - before}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 20)), min_size=1, max_size=20))
def test_every_caller_gets_the_rows_of_his_own_pictures(calls):
    async def run(queue):
        tasks = []
        for number, (is_query, count) in enumerate(calls):
            describe = queue.describe_query if is_query else queue.describe_ingest
            tasks.append(describe(pictures(*[number] * count)))
        return await asyncio.gather(*tasks)

    queue = EngineQueue(lambda images: images * np.float32(2), query_run=8, ingest_run=2)
    try:
        given = asyncio.run(run(queue))
    finally:
        queue.close()
    for number, ((_, count), rows) in enumerate(zip(calls, given, strict=True)):
        assert rows.tolist() == [[2.0 * number]] * count
