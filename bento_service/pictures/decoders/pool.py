"""Pools of decoder processes with the same limits, each used by one caller at a time."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Self

from bento_service.errors import NotReady
from bento_service.pictures.decoders.process import DecoderLimits, DecoderProcess, Reason

_log = logging.getLogger(__name__)


class Pool:
    """Decoder processes that start on demand; open it with `with`.

    Args:
        limits: The limits for one picture.
        count: Most callers at once; the caller of the pool has to enforce it.
        keeps_spare: Start the next process before it is needed, so that no caller waits for it.
    """

    def __init__(self, limits: DecoderLimits, *, count: int, keeps_spare: bool = False) -> None:
        self._limits = limits
        self._count = count
        self._keeps_spare = keeps_spare
        # A decoder ends with the thread that started it, so one thread starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="decoder-starter")
        self._lock = threading.Lock()
        self._idle: deque[DecoderProcess] = deque()
        self._next: Future[DecoderProcess] | None = None
        self._living: set[DecoderProcess] = set()
        self._number = 0  # processes that live or are being started
        self._is_closed = False
        self._lost: Counter[Reason] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        for process in tuple(self._living):
            process.kill()  # the caller that uses the process ends it
        self._starter.shutdown()
        while self._idle:
            self._end(self._idle.pop())
        if self._next is not None:
            with suppress(NotReady):
                self._end(self._next.result())

    @property
    def lost(self) -> Counter[Reason]:
        """The number of processes ended by `lose`, by reason."""
        with self._lock:
            return Counter(self._lost)

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the living processes."""
        return tuple(process.pid for process in tuple(self._living))

    def start(self) -> None:
        """Start a process and wait until it is ready; raise `NotReady` if that fails."""
        with self._lock:
            self._next = self._begun()
        self._next.result()

    @contextmanager
    def process(self) -> Iterator[DecoderProcess]:
        """Yield a process for one caller, who may call `lose` for it.

        Raises:
            NotReady: No process can be started, or the service is stopping.
        """
        process = self._taken()
        try:
            yield process
        finally:
            if self._is_closed:
                self._end(process)
            elif process in self._living:
                self._idle.append(process)

    def lose(self, process: DecoderProcess, reason: Reason) -> None:
        """End a process that can no longer be used, and count the reason.

        Raises:
            NotReady: The process ended because the service is stopping.
        """
        self._end(process)
        with self._lock:
            self._number -= 1
            if self._is_closed:
                raise NotReady("the service is stopping")
            self._lost[reason] += 1
        level = logging.DEBUG if reason is Reason.SLOW else logging.WARNING
        _log.log(level, "decoder %d is replaced: %s", process.pid, reason)
        self._prepare()

    def _taken(self) -> DecoderProcess:
        while True:
            process = self._idle_or_next()
            if process.is_alive:
                self._prepare()
                return process
            self.lose(process, Reason.DIED)

    def _idle_or_next(self) -> DecoderProcess:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            starting, self._next = self._next or self._begun(), None
        return starting.result()

    def _prepare(self) -> None:
        """Start a spare process if there is none for the next caller."""
        with self._lock, suppress(NotReady):  # the next caller tries again
            is_wanted = self._keeps_spare and not self._idle and self._next is None
            if is_wanted and self._number < self._count:
                self._next = self._begun()

    def _begun(self) -> Future[DecoderProcess]:
        """Start a process and return its future. The caller must have the lock."""
        if self._is_closed:
            raise NotReady("the service is stopping")
        try:
            starting = self._starter.submit(self._started)
        except RuntimeError as error:  # no room for a thread
            raise NotReady("a decoder of pictures cannot be started; try again") from error
        self._number += 1
        return starting

    def _started(self) -> DecoderProcess:
        try:
            return self._ready()
        except NotReady:
            with self._lock:
                self._number -= 1
            raise

    def _ready(self) -> DecoderProcess:
        try:
            process = DecoderProcess(self._limits)
        except OSError as error:  # no room for a process
            raise NotReady("a decoder of pictures cannot be started; try again") from error
        self._living.add(process)
        try:
            process.wait_until_ready()
        except NotReady:
            self._end(process)
            raise
        return process

    def _end(self, process: DecoderProcess) -> None:
        process.end()
        self._living.discard(process)
