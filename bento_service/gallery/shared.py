"""Concurrent searches that share calls.

A search of Milvus Lite costs about as much for eight queries as for one. A caller that finds no
call in progress searches at once. Callers that arrive during a call wait for its end; then one of
them, the leader, makes one call with the queries of all. After a shared call its callers are likely
to return soon, so the next leader waits for them, for a fraction of the time of a call.
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import IndexUnavailable

HitsT = TypeVar("HitsT")
Ask = Callable[[Sequence[NDArray[np.float32]], float], Sequence[HitsT]]
"""A call that answers several queries within a number of seconds."""

MAX_SHARED = 64
"""Queries in one call."""
_GATHERING = 0.25
"""The part of the last call's time for which a leader waits for its callers."""
_TOO_LONG = "the searches before this one take too long; try again shortly"


@dataclass(eq=False)
class _Caller(Generic[HitsT]):
    """A caller with its query; `turn` is set once it has hits or an error, or is the leader."""

    query: NDArray[np.float32]
    deadline: float
    turn: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    hits: HitsT | None = None
    error: Exception | None = None


class _Queue(Generic[HitsT]):
    """The callers that wait for one kind of call."""

    def __init__(self, max_shared: int) -> None:
        self.changed = threading.Condition()
        self.waiting: list[_Caller[HitsT]] = []
        self.in_progress = False
        self._max_others = max_shared - 1
        self._ended = self._took = 0.0
        self._callers = 0

    def join(self, own: _Caller[HitsT]) -> None:
        """Become the leader if no call is in progress; wait for the next call otherwise."""
        with self.changed:
            own.leads = not self.in_progress
            self.in_progress = True
            if not own.leads:
                self.waiting.append(own)
                self.changed.notify_all()

    def gather(self) -> list[_Caller[HitsT]]:
        """Take the other callers whose queries go into the leader's call."""
        with self.changed:
            if self._callers > 1:
                left = self._ended + _GATHERING * self._took - time.monotonic()
                present = len(self.waiting)
                self.changed.wait_for(
                    lambda: len(self.waiting) + 1 >= max(present, self._callers), max(left, 0)
                )
            others = self.waiting[: self._max_others]
            del self.waiting[: self._max_others]
            return others

    def leave(self, own: _Caller[HitsT]) -> bool:
        """Stop waiting; return False if the query is in a call already."""
        with self.changed:
            if own in self.waiting:
                self.waiting.remove(own)
                return True
            return False

    def end(self, first: Sequence[_Caller[HitsT]], *, callers: int, took: float) -> None:
        """End a call and choose the next leader; `first` wait before all others."""
        with self.changed:
            self._ended, self._took, self._callers = time.monotonic(), took, callers
            self.waiting[:0] = first
            if self.waiting:
                leader = self.waiting.pop(0)
                leader.leads = True
                leader.turn.set()
            else:
                self.in_progress = False


class SharedSearches(Generic[HitsT]):
    """Searches of many threads, gathered into few calls for each kind of call.

    A caller waits at most `seconds`, for others' calls and its own together; one call has at most
    `max_shared` queries.
    """

    def __init__(self, seconds: float, *, max_shared: int = MAX_SHARED) -> None:
        self._seconds = seconds
        self._max_shared = max_shared
        self._lock = threading.Lock()
        self._queues: dict[Hashable, _Queue[HitsT]] = {}

    def search(self, kind: Hashable, query: NDArray[np.float32], ask: Ask[HitsT]) -> HitsT:
        """Return the hits of one query.

        Args:
            kind: Only queries of the same kind share a call; their `ask` has to do the same.
            query: (D,) float32; D has to be the same for a kind.
            ask: Called in the thread of one of the callers, for all of them.

        Raises:
            IndexUnavailable: The calls of other callers took too long.
            Exception: The error of `ask`, for every caller whose query it had.
        """
        own: _Caller[HitsT] = _Caller(query, time.monotonic() + self._seconds)
        with self._lock:
            queue = self._queues.setdefault(kind, _Queue(self._max_shared))
        queue.join(own)
        if not own.leads:
            _wait(queue, own)
        if own.leads:
            _lead(queue, own, ask)
        if own.error is not None:
            raise own.error
        return own.hits  # type: ignore[return-value]  # a caller without an error has hits


def _wait(queue: _Queue[HitsT], own: _Caller[HitsT]) -> None:
    """Wait for hits, an error, or the turn to lead."""
    if own.turn.wait(own.deadline - time.monotonic()):
        return
    if queue.leave(own):
        own.error = IndexUnavailable(_TOO_LONG)
    else:  # the query is in the call of a leader, which came earlier and has less time left
        own.turn.wait()


def _lead(queue: _Queue[HitsT], own: _Caller[HitsT], ask: Ask[HitsT]) -> None:
    """Make a call for this caller and all that wait, then choose the next leader."""
    others: list[_Caller[HitsT]] = []
    started = time.monotonic()
    try:
        if started < own.deadline:
            others = queue.gather()
            started = time.monotonic()
            callers = [own, *others]
            results = ask([caller.query for caller in callers], max(own.deadline - started, 0.001))
            for caller, hits in zip(callers, results, strict=True):
                caller.hits = hits
        else:  # the call before took too long
            own.error = IndexUnavailable(_TOO_LONG)
    except BaseException as error:
        shown = error if isinstance(error, Exception) else IndexUnavailable("try again shortly")
        for caller in others:
            caller.error = shown
        raise
    finally:
        _end(queue, own, others, took=time.monotonic() - started)


def _end(
    queue: _Queue[HitsT], own: _Caller[HitsT], others: list[_Caller[HitsT]], *, took: float
) -> None:
    now = time.monotonic()
    # The leader came first, so if its time has run out, the others have some left to try again.
    again = [caller for caller in others if caller.error and own.deadline <= now < caller.deadline]
    for caller in again:
        caller.error = None
    queue.end(again, callers=len(others) + 1, took=took)
    for caller in others:
        if caller not in again:
            caller.turn.set()
