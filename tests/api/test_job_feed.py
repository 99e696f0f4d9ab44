"""The job feed: one query of the catalogue for all listeners, and no leaks."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial

import pytest

from bento_service.api.job_feed import Feed
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.states import SourceKind
from bento_service.errors import CatalogueUnavailable
from client_sdk.schemas import JobState
from tests.support.waiting import WAIT_SECONDS, wait_until_async

POLL_SECONDS = 0.02
quick_feed = partial(Feed, poll_seconds=POLL_SECONDS)


class Board:
    """Jobs that a test changes, with counts of queries and conversions."""

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


def listen(feed, number):
    """Return a growing list of a listener's records, and its task."""
    received = []

    async def follow():
        async for record in feed.follow(number):
            received.append(record)  # noqa: PERF401 - tests read the list meanwhile

    return received, asyncio.create_task(follow())


def test_a_listener_receives_every_lasting_state_and_then_the_end(board):
    async def run():
        board.put(1, 0)
        async with quick_feed(board.look, board.show) as feed:
            received, task = listen(feed, 1)
            for done in range(1, 4):
                await wait_until_async(lambda done=done: len(received) == done)
                await asyncio.sleep(0.1)  # no change, no record
                board.put(1, done, JobState.COMPLETED if done == 3 else JobState.IN_PROGRESS)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert [done for _, done, _ in received] == [0, 1, 2, 3]
            assert received[-1] == (1, 3, "completed")
            assert feed.listeners == 0

    asyncio.run(run())


def test_a_listener_of_an_ended_job_receives_its_end(board):
    async def run():
        board.put(1, 9, JobState.CANCELED)
        async with quick_feed(board.look, board.show) as feed:
            received, task = listen(feed, 1)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert received == [(1, 9, "canceled")]

    asyncio.run(run())


def test_many_listeners_share_one_query_and_one_conversion(board):
    async def run():
        for number in (1, 2):
            board.put(number, 0)
        async with quick_feed(board.look, board.show) as feed:
            listeners = [listen(feed, 1 + n % 2) for n in range(200)]
            await wait_until_async(lambda: all(received for received, _ in listeners))
            assert board.shown == 2
            looks, began = board.looks, time.monotonic()
            await asyncio.sleep(0.2)
            most = (time.monotonic() - began) / POLL_SECONDS
            assert board.looks - looks <= most + 1  # as for a single listener
            for number in (1, 2):
                board.put(number, 1, JobState.COMPLETED)
            await asyncio.wait_for(asyncio.gather(*(task for _, task in listeners)), WAIT_SECONDS)
            assert board.shown == 4
            assert {received[-1] for received, _ in listeners} == {
                (1, 1, "completed"),
                (2, 1, "completed"),
            }

    asyncio.run(run())


def test_a_later_listener_receives_the_current_state(board):
    async def run():
        board.put(1, 5)
        async with quick_feed(board.look, board.show) as feed:
            first, _ = listen(feed, 1)
            await wait_until_async(lambda: first)
            second, _ = listen(feed, 1)
            await wait_until_async(lambda: second)
            assert first == second == [(1, 5, "in_progress")]
            assert board.shown == 1
            feed.close()

    asyncio.run(run())


def test_a_slow_listener_receives_the_newest_state_and_the_end(board):
    async def run():
        board.put(1, 0)
        received = []
        async with quick_feed(board.look, board.show) as feed:
            async for record in feed.follow(1):
                received.append(record[1])
                for done in range(1, 9):
                    board.put(1, done, JobState.COMPLETED if done == 8 else JobState.IN_PROGRESS)
                    # The result of a query has been sent when the next query begins.
                    enough = board.looks + 2
                    await wait_until_async(lambda enough=enough: board.looks >= enough)
        assert received == [0, 8]

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_queries_stop_without_listeners(board):
    async def run():
        board.put(1, 0)
        async with quick_feed(board.look, board.show) as feed:
            received, task = listen(feed, 1)
            await wait_until_async(lambda: received)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert feed.listeners == 0
            looks = -1
            while looks != board.looks:  # until the queries stop
                looks = board.looks
                await asyncio.sleep(10 * POLL_SECONDS)
            received, _ = listen(feed, 1)  # and queries resume with a listener
            await wait_until_async(lambda: received)

    asyncio.run(asyncio.wait_for(run(), WAIT_SECONDS))


def test_closing_the_feed_ends_every_listener(board):
    async def run():
        board.put(1, 0)
        async with quick_feed(board.look, board.show) as feed:
            listeners = [listen(feed, 1) for _ in range(3)]
            await wait_until_async(lambda: all(received for received, _ in listeners))
            feed.close()
            await asyncio.wait_for(asyncio.gather(*(task for _, task in listeners)), WAIT_SECONDS)
            late, task = listen(feed, 1)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert late == []

    asyncio.run(run())


def test_the_feed_waits_for_an_unavailable_catalogue_and_logs_each_outage_once(board, caplog):
    async def run():
        board.put(1, 0)
        async with quick_feed(board.look, board.show) as feed:
            received, _ = listen(feed, 1)
            for outage in (1, 2):
                board.trouble = CatalogueUnavailable("the server has gone away")
                # The result of a query has been logged when the next query begins.
                enough = board.looks + 4
                await wait_until_async(lambda enough=enough: board.looks >= enough)
                assert len(received) == outage - 1
                assert caplog.text.count("cannot be queried for jobs") == outage
                board.put(1, outage)
                board.trouble = None
                await wait_until_async(lambda outage=outage: len(received) == outage)

    asyncio.run(run())


def test_an_unexpected_error_ends_listeners_instead_of_hanging_them(board):
    async def run():
        board.trouble = ZeroDivisionError()
        async with quick_feed(board.look, board.show) as feed:
            received, task = listen(feed, 1)
            await asyncio.wait_for(task, WAIT_SECONDS)
            assert received == []

    asyncio.run(run())


def test_changes_of_only_the_speed_are_sent_at_intervals(board):
    speeds = iter([1, 1, 2, 2, 2, 3] + [3] * 1000)

    async def run():
        board.put(1, 0)
        async with quick_feed(board.look, lambda _: next(speeds), refresh_seconds=0.05) as feed:
            received, _ = listen(feed, 1)
            await wait_until_async(lambda: len(received) == 3)
            assert received == [1, 2, 3]

    asyncio.run(run())
