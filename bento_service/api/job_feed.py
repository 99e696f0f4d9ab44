"""Job changes for any number of listeners, from one query of the catalogue for all of them."""

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
    """A job as listeners last saw it."""

    record: JobRecord
    shown: Shown
    at: float


@dataclass(eq=False)
class _Listener(Generic[Shown]):
    """A follower of a job. A newer state replaces one that was not fetched yet."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    latest: Shown | None = None
    is_last: bool = False

    def tell(self, shown: Shown | None, *, is_last: bool) -> None:
        self.latest, self.is_last = shown or self.latest, is_last
        self.news.set()


class Feed(Generic[Shown]):
    """The feed of job changes: four queries a second while a client listens. Use `async with`."""

    def __init__(
        self,
        look: Callable[[Sequence[int]], list[JobRecord]],
        show: Callable[[JobRecord], Shown],
    ) -> None:
        """Set the sources of a feed.

        Args:
            look: Returns the jobs with these numbers; called in a thread.
            show: Converts a job for the listeners; called in a thread, once for all of them.
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
        """The number of listeners."""
        return sum(map(len, self._listeners.values()))

    def close(self) -> None:
        """End all listeners, now and in future. Call it on the event loop's thread only."""
        self._is_closed = True
        self._end_all()

    async def follow(self, number: int) -> AsyncIterator[Shown]:
        """Yield a job now, at each change and at its end.

        The iteration stops early when the feed is closed or the catalogue is unavailable.
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
                # A newer state may arrive while this one is being sent.
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
                    _log.warning("the catalogue cannot be queried for jobs: %s", error)
                else:
                    self._tell(news)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._end_all()  # clients reconnect rather than wait for nothing

    def _news(self, numbers: Sequence[int]) -> list[_Seen[Shown]]:
        now = time.monotonic()
        changed = [one for one in self._look(numbers) if self._is_news(one, now)]
        return [_Seen(one, self._show(one), now) for one in changed]

    def _is_news(self, record: JobRecord, now: float) -> bool:
        """Return true if a job has changed, or was last sent so long ago that its speed has."""
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
