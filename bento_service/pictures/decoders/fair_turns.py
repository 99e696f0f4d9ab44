"""Fair turns for expensive pictures.

No sender occupies all places, and the sender with the fewest places is next.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bento_service.errors import NotReady, Overloaded

BUSY = (
    "the picture takes long to decode, and others of that kind are being decoded; try again "
    "shortly, or scale it down first"
)
"""The message for a caller whose picture cannot be decoded in time."""
_MOST = 16  # half of the threads in which searches decode
_MOST_OF_ONE = 8


@dataclass(eq=False)
class _Turn:
    """A request that waits for a place or has one. Turns are compared by identity."""

    sender: str | None
    has_place: bool = False


class Turns:
    """Places that several senders share. Threads may share it.

    Args:
        count: The number of places; a sender has at most all but one of them.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._most = max(1, count - 1)
        self._turns: list[_Turn] = []
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def number(self) -> int:
        """The number of requests that wait for a place or have one."""
        with self._changed:
            return len(self._turns)

    def close(self) -> None:
        """Reject all waiting requests, and all later ones."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @contextmanager
    def turn(self, sender: str | None, *, seconds: float) -> Iterator[None]:
        """Wait for a place and keep it within the block.

        Args:
            sender: The sender of the picture; `None` for a job. All jobs are one sender, without a
                limit on waiting files.
            seconds: The longest wait.

        Raises:
            Overloaded: No place became free in time, or too many requests are waiting.
            NotReady: The service is stopping.
        """
        turn = _Turn(sender)
        with self._changed:
            self._check_queue(sender)
            self._turns.append(turn)
        try:
            self._wait(turn, seconds)
            yield
        finally:
            with self._changed:
                self._turns.remove(turn)
                self._changed.notify_all()

    def _wait(self, turn: _Turn, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (self._is_closed or self._is_next(turn)):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise Overloaded(BUSY)
            if self._is_closed:
                raise NotReady("the service is stopping")
            turn.has_place = True
            self._changed.notify_all()  # another place may be free for the next turn

    def _is_next(self, turn: _Turn) -> bool:
        """Return True if a place is free and this turn is next."""
        places = Counter(other.sender for other in self._turns if other.has_place)
        waiting = [
            other
            for other in self._turns
            if not other.has_place and places[other.sender] < self._most
        ]
        if places.total() == self._count or not waiting:
            return False
        return min(waiting, key=lambda other: places[other.sender]) is turn  # keeps the order

    def _check_queue(self, sender: str | None) -> None:
        waiting = [turn.sender for turn in self._turns if turn.sender is not None]
        if sender is None:
            return
        if len(waiting) >= _MOST or waiting.count(sender) >= _MOST_OF_ONE:
            raise Overloaded(BUSY)
