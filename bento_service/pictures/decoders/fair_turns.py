"""Whose expensive picture is next: nobody fills all places, and who holds the fewest is first."""

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
"""What somebody is told whose picture cannot be decoded in time."""
_MOST = 16  # half of the threads that searches decode in
_MOST_OF_ONE = 8


@dataclass(eq=False)
class _Turn:
    """Somebody who waits for a place or has it. Compared by identity."""

    sender: str | None
    has_place: bool = False


class Turns:
    """Places that several senders share. Threads may share it, too."""

    def __init__(self, count: int) -> None:
        """Prepare.

        Args:
            count: Places; a sender has at most all but one of them.
        """
        self._count = count
        self._most = max(1, count - 1)
        self._turns: list[_Turn] = []
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def number(self) -> int:
        """How many wait for a place or have one."""
        with self._changed:
            return len(self._turns)

    def close(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @contextmanager
    def turn(self, sender: str | None, *, seconds: float) -> Iterator[None]:
        """Hold a place.

        Args:
            sender: Whose picture it is; `None` where it is of a job. Jobs are one sender, and as
                many of their files may wait as they like.
            seconds: The longest to wait.

        Raises:
            Overloaded: There was none in time, or too many wait already.
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
            self._changed.notify_all()  # there may be another place for the next one

    def _is_next(self, turn: _Turn) -> bool:
        """Whether a place is free, and it is for this turn."""
        held = Counter(one.sender for one in self._turns if one.has_place)
        waiting = [
            one for one in self._turns if not one.has_place and held[one.sender] < self._most
        ]
        if held.total() == self._count or not waiting:
            return False
        return min(waiting, key=lambda one: held[one.sender]) is turn  # the first of several

    def _check_queue(self, sender: str | None) -> None:
        waiting = [one.sender for one in self._turns if one.sender is not None]
        if sender is None:
            return
        if len(waiting) >= _MOST or waiting.count(sender) >= _MOST_OF_ONE:
            raise Overloaded(BUSY)
