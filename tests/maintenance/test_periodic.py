"""Work of the owner, which is another replica at times."""

import asyncio
from contextlib import asynccontextmanager

from bento_service.maintenance.periodic import periodic, while_owner
from tests.support.waiting import wait_until_async


class Election:
    """Can be won and lost; counts how often it was asked."""

    won = False
    looks = 0

    def __call__(self):
        self.looks += 1
        return self.won

    async def is_asked(self, times):
        """Wait until it has been asked this many times more."""
        enough = self.looks + times
        await wait_until_async(lambda: self.looks >= enough)


def test_only_the_owner_acts():
    election, calls = Election(), []

    def act():
        calls.append(1)

    async def run():
        async with periodic(act, seconds=0.01, what="a test", is_owner=election):
            await election.is_asked(5)
            assert calls == []
            election.won = True
            await wait_until_async(lambda: len(calls) > 2)
            election.won = False
            await election.is_asked(1)  # an act that had begun has ended by then
            done = len(calls)
            await election.is_asked(5)
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
            await election.is_asked(5)
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
