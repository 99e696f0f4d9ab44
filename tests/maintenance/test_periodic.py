"""Work of the owner, which is another replica at times."""

import asyncio
from contextlib import asynccontextmanager

from bento_service.maintenance.periodic import periodic, while_owner
from tests.support.waiting import wait_until_async


class Election:
    """Can be won and lost."""

    won = False

    def __call__(self):
        return self.won


def test_only_the_owner_acts():
    election, calls = Election(), []

    def act():
        calls.append(1)

    async def run():
        async with periodic(act, seconds=0.01, what="a test", is_owner=election):
            await asyncio.sleep(0.2)
            assert calls == []
            election.won = True
            await wait_until_async(lambda: len(calls) > 2)
            election.won = False
            await asyncio.sleep(0.1)
            done = len(calls)
            await asyncio.sleep(0.1)
            assert len(calls) == done

    asyncio.run(run())


def test_a_context_is_entered_by_the_owner_and_left_by_a_former_one():
    election, events = Election(), []

    @asynccontextmanager
    async def watching():
        events.append("begins")
        try:
            yield
        finally:
            events.append("ends")

    async def run():
        async with while_owner(watching, election, look_seconds=0.01):
            await asyncio.sleep(0.1)
            assert events == []
            for number in (1, 2):
                election.won = True
                await wait_until_async(lambda: len(events) == 2 * number - 1)  # noqa: B023
                election.won = False
                await wait_until_async(lambda: len(events) == 2 * number)  # noqa: B023
            election.won = True
            await wait_until_async(lambda: len(events) == 5)

    asyncio.run(run())
    assert events == ["begins", "ends"] * 3
