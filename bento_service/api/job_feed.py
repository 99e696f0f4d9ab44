"""How jobs go, told to any number of listeners by one look at the catalogue for all of them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import CatalogueUnavailable

_LOOK_SECONDS = 0.25
_REFRESH_SECONDS = 5.0
_log = logging.getLogger(__name__)

Shown = TypeVar("Shown")


@dataclass(frozen=True)
class _Seen(Generic[Shown]):
    """A job as it was last told."""

    record: JobRecord
    shown: Shown
    at: float


@dataclass(eq=False)
class _Listener(Generic[Shown]):
    """Who follows a job. News that were not fetched yet give way to later ones."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    latest: Shown | None = None
    is_last: bool = False

    def tell(self, shown: Shown | None, *, is_last: bool) -> None:
        self.latest, self.is_last = shown or self.latest, is_last
        self.news.set()


class Feed(Generic[Shown]):
    """Looks four times a second while anybody listens. Close it with `async with`."""

    def __init__(
        self,
        look: Callable[[Sequence[int]], list[JobRecord]],
        show: Callable[[JobRecord], Shown],
    ) -> None:
        """Prepare.

        Args:
            look: Gives the jobs with these numbers; called in a thread.
            show: What listeners are told of a job; called in a thread, once for all of them.
        """
        self._look = look
        self._show = show
        self._listeners: dict[int, set[_Listener[Shown]]] = {}
        self._seen: dict[int, _Seen[Shown]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    async def __aenter__(self) -> "Feed[Shown]":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    @property
    def listeners(self) -> int:
        """How many there are."""
        return sum(map(len, self._listeners.values()))

    def close(self) -> None:
        """Let every listener end, also those who still come. Only from the event loop's thread."""
        self._is_closed = True
        self._end_all()

    async def follow(self, number: int) -> AsyncIterator[Shown]:
        """A job as it is, whenever it has changed, and at its end; then it stops.

        It stops early when the feed is closed or in trouble.
        """
        if self._is_closed:
            return
        listener: _Listener[Shown] = _Listener()
        self._listeners.setdefault(number, set()).add(listener)
        if seen := self._seen.get(number):
            listener.tell(seen.shown, is_last=seen.record.state.is_final)
        self._look_on()
        try:
            is_last = False
            while not is_last:
                await listener.news.wait()
                listener.news.clear()
                # More may be told while this is on its way.
                latest, is_last = listener.latest, listener.is_last
                listener.latest = None
                if latest is not None:
                    yield latest
        finally:
            self._leave(number, listener)

    def _leave(self, number: int, listener: _Listener[Shown]) -> None:
        self._listeners[number].discard(listener)
        if not self._listeners[number]:
            del self._listeners[number]
            self._seen.pop(number, None)

    def _look_on(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._listeners:
                try:
                    news = await asyncio.to_thread(self._news, list(self._listeners))
                except CatalogueUnavailable as error:
                    _log.warning("jobs cannot be looked at: %s", error)
                else:
                    self._tell(news)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._end_all()  # they come back, rather than wait for nothing

    def _news(self, numbers: Sequence[int]) -> list[_Seen[Shown]]:
        now = time.monotonic()
        changed = [one for one in self._look(numbers) if self._is_news(one, now)]
        return [_Seen(one, self._show(one), now) for one in changed]

    def _is_news(self, record: JobRecord, now: float) -> bool:
        """Whether a job has changed; its speed does so even while nothing else does."""
        seen = self._seen.get(record.number)
        return seen is None or seen.record != record or now - seen.at >= _REFRESH_SECONDS

    def _tell(self, news: list[_Seen[Shown]]) -> None:
        for one in news:
            number = one.record.number
            if number not in self._listeners:
                continue
            before = self._seen.get(number)
            self._seen[number] = one
            if before is None or before.shown != one.shown:
                for listener in self._listeners[number]:
                    listener.tell(one.shown, is_last=one.record.state.is_final)

    def _end_all(self) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.tell(None, is_last=True)
