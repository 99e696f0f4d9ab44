"""Searches that come at the same time and share one call.

A search of Milvus Lite costs about as much for eight queries as for one. Whoever finds no call
under way searches at once. Who comes during a call waits for its end; then one of those who wait
takes the queries of all of them along. Right after a shared call its callers are likely to come
again, so who leads then waits for them, for a fraction of what a call takes.
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import IndexUnavailable

Answer = TypeVar("Answer")
Ask = Callable[[Sequence[NDArray[np.float32]], float], Sequence[Answer]]
"""Answers several queries; the number is the seconds that it may take."""

MAX_SHARED = 64
"""Queries in one call."""
_GATHERING = 0.25
"""Of the last call's time: for so long its callers are waited for."""
_TOO_LONG = "the searches before this one take too long; try again shortly"


@dataclass(eq=False)
class _Waiting(Generic[Answer]):
    """One caller with its query; `turn` is set when it has an answer, or is to ask for all."""

    query: NDArray[np.float32]
    deadline: float
    turn: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    answer: Answer | None = None
    error: Exception | None = None


class _Line(Generic[Answer]):
    """Who waits for one kind of call, and how the last one was."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.waiting: list[_Waiting[Answer]] = []
        self.under_way = False
        self._ended = self._took = 0.0
        self._callers = 0

    def join(self, own: _Waiting[Answer]) -> None:
        """Lead at once, or wait behind the call that is under way."""
        with self.changed:
            own.leads = not self.under_way
            self.under_way = True
            if not own.leads:
                self.waiting.append(own)
                self.changed.notify_all()

    def gather(self) -> list[_Waiting[Answer]]:
        """Those who go along with who leads."""
        with self.changed:
            if self._callers > 1:
                left = self._ended + _GATHERING * self._took - time.monotonic()
                here = len(self.waiting)
                self.changed.wait_for(
                    lambda: len(self.waiting) + 1 >= max(here, self._callers), max(left, 0)
                )
            together = self.waiting[: MAX_SHARED - 1]
            del self.waiting[: MAX_SHARED - 1]
            return together

    def leave(self, own: _Waiting[Answer]) -> bool:
        """Give up; `False` if it is too late for that."""
        with self.changed:
            if own in self.waiting:
                self.waiting.remove(own)
                return True
            return False

    def end(self, first: Sequence[_Waiting[Answer]], *, callers: int, took: float) -> None:
        """Hand over to the next, those who have to be asked for again before the others."""
        with self.changed:
            self._ended, self._took, self._callers = time.monotonic(), took, callers
            self.waiting[:0] = first
            if self.waiting:
                following = self.waiting.pop(0)
                following.leads = True
                following.turn.set()
            else:
                self.under_way = False


class SharedSearches(Generic[Answer]):
    """Gathers the queries of many threads into few calls, apart for each kind of call."""

    def __init__(self, seconds: float) -> None:
        """Prepare.

        Args:
            seconds: The most that a caller waits, for others' calls and its own together.
        """
        self._seconds = seconds
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line[Answer]] = {}

    def search(self, kind: Hashable, query: NDArray[np.float32], ask: Ask[Answer]) -> Answer:
        """The answer to one query.

        Args:
            kind: Only queries of the same kind share a call; their `ask` has to do the same.
            query: (D,) float32; D has to be the same for a kind.
            ask: Called in the thread of one of the callers, for all of them.

        Raises:
            IndexUnavailable: The calls of others took too long.
            Exception: What `ask` raises, for everyone whose query it had.
        """
        own: _Waiting[Answer] = _Waiting(query, time.monotonic() + self._seconds)
        with self._lock:
            line = self._lines.setdefault(kind, _Line())
        line.join(own)
        if not own.leads:
            _wait(line, own)
        if own.leads:
            _lead(line, own, ask)
        if own.error is not None:
            raise own.error
        return own.answer  # type: ignore[return-value]  # whoever has no error has an answer


def _wait(line: _Line[Answer], own: _Waiting[Answer]) -> None:
    """Until there is an answer, an error, or the turn to lead."""
    if own.turn.wait(own.deadline - time.monotonic()):
        return
    if line.leave(own):
        own.error = IndexUnavailable(_TOO_LONG)
    else:  # it is being asked for, by somebody who came earlier and has no more time
        own.turn.wait()


def _lead(line: _Line[Answer], own: _Waiting[Answer], ask: Ask[Answer]) -> None:
    """Ask for oneself and for all who wait, then hand over to who came meanwhile."""
    others: list[_Waiting[Answer]] = []
    started = time.monotonic()
    try:
        if started < own.deadline:
            others = line.gather()
            started = time.monotonic()
            together = [own, *others]
            answers = ask([one.query for one in together], max(own.deadline - started, 0.001))
            for one, answer in zip(together, answers, strict=True):
                one.answer = answer
        else:  # its turn came too late
            own.error = IndexUnavailable(_TOO_LONG)
    except BaseException as error:
        shown = error if isinstance(error, Exception) else IndexUnavailable("try again shortly")
        for one in others:
            one.error = shown
        raise
    finally:
        _end(line, own, others, took=time.monotonic() - started)


def _end(
    line: _Line[Answer], own: _Waiting[Answer], others: list[_Waiting[Answer]], *, took: float
) -> None:
    now = time.monotonic()
    # Who leads came first. Where its time has run out, the others have some left.
    again = [one for one in others if one.error and own.deadline <= now < one.deadline]
    for one in again:
        one.error = None
    line.end(again, callers=len(others) + 1, took=took)
    for one in others:
        if one not in again:
            one.turn.set()
