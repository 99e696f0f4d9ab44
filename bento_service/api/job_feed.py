"""Job changes for any number of listeners, from one query of the catalogue for all of them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from bento_service.catalogue.jobs.records import JobRecord
from bento_service.errors import CatalogueUnavailable
from client_sdk.schemas import Job

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    """A job as listeners last saw it."""

    record: JobRecord
    shown: Job
    at: float


@dataclass(eq=False)
class _Listener:
    """A follower of a job. A newer state replaces one that was not fetched yet."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    latest: Job | None = None
    is_last: bool = False

    def update(self, shown: Job | None, *, is_last: bool) -> None:
        self.latest, self.is_last = shown or self.latest, is_last
        self.news.set()


class Feed:
    """The feed of job changes: four queries a second while a client listens. Use `async with`."""

    def __init__(
        self,
        look: Callable[[Sequence[int]], list[JobRecord]],
        show: Callable[[JobRecord], Job],
        *,
        poll_seconds: float = 0.25,
        refresh_seconds: float = 5.0,
    ) -> None:
        """Set the functions that return jobs by number, and that convert one for listeners.

        Both are called in a thread, once for all listeners. A running job that did not change is
        sent again after `refresh_seconds`, because its speed changes.
        """
        self._look = look
        self._show = show
        self._poll_seconds = poll_seconds
        self._refresh_seconds = refresh_seconds
        self._listeners: dict[int, set[_Listener]] = {}
        self._seen: dict[int, _Seen] = {}
        self._polling: asyncio.Task[None] | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    @property
    def listeners(self) -> int:
        """The number of listeners."""
        return sum(map(len, self._listeners.values()))

    def close(self) -> None:
        """End all listeners, now and in future. Call it on the event loop's thread only."""
        self._is_closed = True
        self._end_all()

    async def follow(self, number: int) -> AsyncIterator[Job]:
        """Yield a job now, at each change and at its end.

        The iteration stops early when the feed is closed or fails. It waits for a catalogue that is
        unavailable.
        """
        if self._is_closed:
            return
        listener = _Listener()
        self._listeners.setdefault(number, set()).add(listener)
        if seen := self._seen.get(number):
            listener.update(seen.shown, is_last=seen.record.state.is_final)
        self._start_polling()
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

    def _leave(self, number: int, listener: _Listener) -> None:
        self._listeners[number].discard(listener)
        if not self._listeners[number]:
            del self._listeners[number]
            self._seen.pop(number, None)

    def _start_polling(self) -> None:
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._run())

    async def _run(self) -> None:
        is_available = True
        try:
            while self._listeners:
                try:
                    news = await asyncio.to_thread(self._news, list(self._listeners))
                except CatalogueUnavailable as error:
                    if is_available:
                        _log.warning("the catalogue cannot be queried for jobs: %s", error)
                    is_available = False
                else:
                    is_available = True
                    self._publish(news)
                await asyncio.sleep(self._poll_seconds)
        finally:
            self._end_all()  # clients reconnect rather than wait for nothing

    def _news(self, numbers: Sequence[int]) -> list[_Seen]:
        now = time.monotonic()
        changed = [record for record in self._look(numbers) if self._is_news(record, now)]
        return [_Seen(record, self._show(record), now) for record in changed]

    def _is_news(self, record: JobRecord, now: float) -> bool:
        """Return true if a job has changed, or was last sent so long ago that its speed has."""
        seen = self._seen.get(record.number)
        return seen is None or seen.record != record or now - seen.at >= self._refresh_seconds

    def _publish(self, news: list[_Seen]) -> None:
        for seen in news:
            number = seen.record.number
            if number not in self._listeners:
                continue
            before = self._seen.get(number)
            self._seen[number] = seen
            if before is None or before.shown != seen.shown:
                for listener in self._listeners[number]:
                    listener.update(seen.shown, is_last=seen.record.state.is_final)

    def _end_all(self) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.update(None, is_last=True)
