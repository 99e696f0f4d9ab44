"""Following jobs: one look at the catalogue for all listeners, and nothing left behind."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from bento_service.api import job_feed as feed_module
from bento_service.api.job_feed import Feed
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.tables import SourceKind
from bento_service.errors import CatalogueUnavailable
from client_sdk.schemas import JobState
from tests.support.waiting import WAIT_SECONDS, wait_until_async


class Board:
    """Jobs that a test changes, and how often they were looked at and shown."""

    def __init__(self):
        self.jobs = {}
        self.looks = 0
        self.shown = 0
        self.trouble = None

    def put(self, number, done, state=JobState.IN_PROGRESS):
        now = datetime(2026, 1, 1, tzinfo=UTC)
        self.jobs[number] = JobRecord(
            number=number,
            id=str(number),
            collection_id=1,
            collection="cats",
            kind=SourceKind.UPLOAD,
            root="",
            path="",
            recursive=True,
            ignore=(),
            metadata={},
            state=state,
            walked=True,
            total=9,
            indexed=done,
            duplicates=0,
            failed=0,
            detail=None,
            created_at=now,
            started_at=now,
            finished_at=None,
            retry_of=None,
        )

    def look(self, numbers):
        self.looks += 1
        if self.trouble:
            raise self.trouble
        return [self.jobs[number] for number in numbers if number in self.jobs]

    def show(self, record):
        self.shown += 1
        return (record.number, record.done, record.state.value)


@pytest.fixture
def board():
    return Board()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(feed_module, "_LOOK_SECONDS", 0.02)


def listen(feed, number):
    """What a listener hears, while it listens, and its task."""
    heard = []

    async def follow():
        async for one in feed.follow(number):
            heard.append(one)  # noqa: PERF401 - others look at it meanwhile

    return heard, asyncio.create_task(follow())


def test_a_listener_hears_every_state_that_lasts_and_then_the_end(board):
    async def run():
        board.put(1, 0)
        async with Feed(board.look, board.show) as feed:
            heard, task = listen(feed, 1)
            for done in range(1, 4):
                await wait_until_async(lambda done=done: len(heard) == done)
                await asyncio.sleep(0.1)  # nothing changes, nothing is told
                board.put(1, done, JobState.COMPLETED if done == 3 else JobState.IN_PROGRESS)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert [done for _, done, _ in heard] == [0, 1, 2, 3]
            assert heard[-1] == (1, 3, "completed")
            assert feed.listeners == 0

    asyncio.run(run())


def test_who_comes_when_a_job_has_ended_hears_that(board):
    async def run():
        board.put(1, 9, JobState.CANCELED)
        async with Feed(board.look, board.show) as feed:
            heard, task = listen(feed, 1)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert heard == [(1, 9, "canceled")]

    asyncio.run(run())


def test_many_listeners_cost_one_look_and_one_showing(board):
    async def run():
        for number in (1, 2):
            board.put(number, 0)
        async with Feed(board.look, board.show) as feed:
            listeners = [listen(feed, 1 + n % 2) for n in range(200)]
            await wait_until_async(lambda: all(heard for heard, _ in listeners))
            assert board.shown == 2
            looks, began = board.looks, time.monotonic()
            await asyncio.sleep(0.2)
            most = (time.monotonic() - began) / feed_module._LOOK_SECONDS
            assert board.looks - looks <= most + 1  # as for a single listener
            for number in (1, 2):
                board.put(number, 1, JobState.COMPLETED)
            await asyncio.wait_for(asyncio.gather(*(task for _, task in listeners)), WAIT_SECONDS)
            assert board.shown == 4
            assert {heard[-1] for heard, _ in listeners} == {
                (1, 1, "completed"),
                (2, 1, "completed"),
            }

    asyncio.run(run())


def test_who_comes_later_hears_how_it_is(board):
    async def run():
        board.put(1, 5)
        async with Feed(board.look, board.show) as feed:
            first, _ = listen(feed, 1)
            await wait_until_async(lambda: first)
            second, _ = listen(feed, 1)
            await wait_until_async(lambda: second)
            assert first == second == [(1, 5, "in_progress")]
            assert board.shown == 1
            feed.close()

    asyncio.run(run())


def test_a_slow_listener_hears_the_newest_and_the_end(board):
    async def run():
        board.put(1, 0)
        heard = []
        async with Feed(board.look, board.show) as feed:
            async for one in feed.follow(1):
                heard.append(one[1])
                for done in range(1, 9):
                    board.put(1, done, JobState.COMPLETED if done == 8 else JobState.IN_PROGRESS)
                    # What the next look sees has been told when the look after it begins.
                    enough = board.looks + 2
                    await wait_until_async(lambda enough=enough: board.looks >= enough)
        assert heard == [0, 8]

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_nobody_looks_when_nobody_listens_any_more(board):
    async def run():
        board.put(1, 0)
        async with Feed(board.look, board.show) as feed:
            heard, task = listen(feed, 1)
            await wait_until_async(lambda: heard)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert feed.listeners == 0
            looks = -1
            while looks != board.looks:  # until nobody looks any more
                looks = board.looks
                await asyncio.sleep(10 * feed_module._LOOK_SECONDS)
            heard, _ = listen(feed, 1)  # and somebody does again
            await wait_until_async(lambda: heard)

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_a_closed_feed_lets_every_listener_go(board):
    async def run():
        board.put(1, 0)
        async with Feed(board.look, board.show) as feed:
            listeners = [listen(feed, 1) for _ in range(3)]
            await wait_until_async(lambda: all(heard for heard, _ in listeners))
            feed.close()
            await asyncio.wait_for(asyncio.gather(*(task for _, task in listeners)), WAIT_SECONDS)
            late, task = listen(feed, 1)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert late == []

    asyncio.run(run())


def test_a_catalogue_that_is_away_is_waited_for(board):
    async def run():
        board.put(1, 0)
        board.trouble = CatalogueUnavailable("the server has gone away")
        async with Feed(board.look, board.show) as feed:
            heard, _ = listen(feed, 1)
            await wait_until_async(lambda: board.looks > 3)
            assert heard == []
            board.trouble = None
            await wait_until_async(lambda: heard)

    asyncio.run(run())


def test_a_defect_ends_the_listening_instead_of_hanging(board):
    async def run():
        board.trouble = ZeroDivisionError()
        async with Feed(board.look, board.show) as feed:
            heard, task = listen(feed, 1)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert heard == []

    asyncio.run(run())


def test_a_speed_that_changes_is_told_now_and_then(board, monkeypatch):
    monkeypatch.setattr(feed_module, "_REFRESH_SECONDS", 0.05)
    speeds = iter([1, 1, 2, 2, 2, 3] + [3] * 1000)

    async def run():
        board.put(1, 0)
        async with Feed(board.look, lambda _: next(speeds)) as feed:
            heard, _ = listen(feed, 1)
            await wait_until_async(lambda: len(heard) == 3)
            assert heard == [1, 2, 3]

    asyncio.run(run())
