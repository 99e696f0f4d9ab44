"""Queue of one engine: queries have priority, and jobs always make progress.

An engine computes one run at a time. On a CPU, a run of two pictures needs as much time for each
picture as a run of eight. So the pictures of jobs arrive in large messages, which keep the engine
busy, and are computed in small runs, between which the engine can compute queries.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import NotReady

Images = NDArray[np.uint8]
Rows = NDArray[np.float32]
QUERIES_A_TURN = 4
"""The pictures of queries for each picture of a job while both wait.

Jobs then get a fifth of all pictures.
"""
_CLOSE_SECONDS = 60.0


@dataclass
class _Run:
    """A batch of pictures that are computed together."""

    images: Images
    described: "Future[Rows]" = field(default_factory=Future)


class EngineQueue:
    """A queue that describes pictures in a thread of its own, which runs until `close`.

    A query waits only for the current run, unless queries alone keep the engine busy. Then each run
    of a job waits for at most `QUERIES_A_TURN` times its own number of pictures from queries, or
    for one run of queries if that is larger.

    Args:
        describe: Computes one run.
        query_run: Most pictures of a run of queries.
        ingest_run: Most pictures of a run of jobs; a query waits for one such run.
    """

    def __init__(
        self, describe: Callable[[Images], Rows], *, query_run: int, ingest_run: int
    ) -> None:
        self._describe = describe
        self._query_run = query_run
        self._ingest_run = ingest_run
        self._queries: deque[_Run] = deque()
        self._ingest: deque[_Run] = deque()
        self._pictures_since_ingest = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    async def describe_query(self, images: Images) -> Rows:
        """Describe pictures of a waiting caller, or raise `NotReady` if the queue is closed."""
        return await self._described(self._queries, images, self._query_run)

    async def describe_ingest(self, images: Images) -> Rows:
        """Describe pictures of a job; see `describe_query`."""
        return await self._described(self._ingest, images, self._ingest_run)

    def close(self) -> None:
        """Finish the current run, and fail the waiting ones with `NotReady`."""
        with self._changed:
            self._is_closed = True
            waiting = (*self._queries, *self._ingest)
            self._queries.clear()
            self._ingest.clear()
            self._changed.notify()
        for run in waiting:
            if run.described.set_running_or_notify_cancel():
                run.described.set_exception(_closing())
        self._thread.join(_CLOSE_SECONDS)

    async def _described(self, queue: deque[_Run], images: Images, size: int) -> Rows:
        runs = [_Run(images[at : at + size]) for at in range(0, max(1, len(images)), size)]
        with self._changed:
            if self._is_closed:
                raise _closing()
            queue.extend(runs)
            self._changed.notify()
        try:
            rows = await asyncio.gather(*(asyncio.wrap_future(run.described) for run in runs))
        finally:
            for run in runs:  # the rest is useless if one failed or the caller left
                run.described.cancel()
        return np.concatenate(rows)

    def _work(self) -> None:
        while (run := self._next()) is not None:
            if run.described.set_running_or_notify_cancel():
                try:
                    run.described.set_result(self._describe(run.images))
                except Exception as error:  # noqa: BLE001 - raised in the caller
                    run.described.set_exception(error)
            del run  # free its pictures before the thread waits

    def _next(self) -> _Run | None:
        with self._changed:
            while not (self._queries or self._ingest):
                if self._is_closed:
                    return None
                self._changed.wait()
            if self._queries and not (self._ingest and self._is_turn_of_ingest()):
                run = self._queries.popleft()
                self._pictures_since_ingest += len(run.images)
            else:
                run = self._ingest.popleft()
                self._pictures_since_ingest = 0
            return run

    def _is_turn_of_ingest(self) -> bool:
        since, allowed = self._pictures_since_ingest, QUERIES_A_TURN * len(self._ingest[0].images)
        return since > 0 and since + len(self._queries[0].images) > allowed


def _closing() -> NotReady:
    return NotReady("the engine is shutting down; try again in some seconds")
