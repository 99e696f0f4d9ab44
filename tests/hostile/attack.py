"""Sending hostile input to a running service, and watching what it does to it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx
import numpy as np
import psutil

from tests.hostile.made import Input
from tests.support.server import DECODER

SLOWEST_SECONDS = 5.0
"""The longest time that an answer may take."""
_TIME_LIMIT = 60.0
_WATCH_SECONDS = 0.25
_SHOWN = 20
_LEAKS = (b"Traceback", b"0x7f", b'File "/', b"site-packages")


@dataclass
class Outcome:
    """The outcome of one kind of input.

    Attributes:
        sent: How many inputs.
        statuses: Of the answers.
        slowest: Seconds of the slowest answer, and of what.
        findings: What should not be, the first of it.
    """

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    silent: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """Answers that say that the service has failed."""
        return sum(number for status, number in self.statuses.items() if status >= 500)

    def found(self, finding: str) -> None:
        """Keep it, if there are not too many."""
        if len(self.findings) < _SHOWN:
            self.findings.append(finding)


class Attack:
    """Several senders at once against one service."""

    def __init__(self, url: str, secrets: Sequence[str], *, slowest: float) -> None:
        """Prepare.

        Args:
            url: Of the service.
            secrets: What no answer may have in it, such as the path of the data folder.
            slowest: Seconds that no answer may take longer than.
        """
        self._slowest = slowest
        self._client = httpx.Client(base_url=url, timeout=_TIME_LIMIT)
        self._leaks = (*_LEAKS, *(secret.encode() for secret in secrets))
        self._lock = threading.Lock()

    def search_with(self, inputs: Iterable[Input], outcome: Outcome, senders: int = 3) -> None:
        """Search with each of them, and note what comes of it."""
        waiting = threading.Semaphore(4 * senders)  # large ones need not all be in memory

        def send(one: Input) -> None:
            try:
                self._send(outcome, one)
            finally:
                waiting.release()

        with ThreadPoolExecutor(senders) as pool:
            for one in inputs:
                waiting.acquire()
                pool.submit(send, one)

    def is_ready(self) -> bool:
        """Return true if `/readyz` answers 200."""
        return self._client.get("/readyz").status_code == 200

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, outcome: Outcome, one: Input) -> None:
        started = time.perf_counter()
        try:
            answer = self._client.post("/api/v2/search", files={"file": ("a.png", one.data)})
        except httpx.HTTPError as error:
            with self._lock:
                outcome.sent += 1
                outcome.silent += 1
                outcome.found(f"{one.name}: {error!r}")
            return
        seconds = time.perf_counter() - started
        with self._lock:
            outcome.sent += 1
            outcome.statuses[answer.status_code] += 1
            outcome.slowest = max(outcome.slowest, (seconds, one.name))
            if answer.status_code >= 500:
                outcome.found(f"{one.name}: {answer.status_code} {answer.text[:200]}")
            if answer.status_code >= 400 and not _is_problem(answer):
                outcome.found(f"{one.name}: no problem document: {answer.text[:200]}")
            if seconds > self._slowest:
                outcome.found(f"{one.name}: {seconds:.1f} s, {answer.status_code}")
            for leak in self._leaks:
                if leak in answer.content:
                    outcome.found(f"{one.name}: tells {leak!r}")


def _is_problem(answer: httpx.Response) -> bool:
    return answer.headers.get("content-type", "") == "application/problem+json"


def p95(seconds: Sequence[float]) -> float:
    """Return the 95th percentile; 0 where there is none."""
    return float(np.percentile(seconds, 95)) if seconds else 0.0


@dataclass(frozen=True)
class Resident:
    """Bytes of memory, each process's share of what several have.

    Attributes:
        own: Memory of the service's processes.
        decoders: Memory of its decoders, which return the memory of a picture to the system.
    """

    own: int
    decoders: int


class Memory:
    """Watches the memory of all processes of a service."""

    def __init__(self, processes: Callable[[], dict[int, str]]) -> None:
        self._processes = processes
        self.before = self.worst = self.now()

    def now(self) -> Resident:
        """Return the memory that they hold now."""
        held = list(_held(self._processes()))
        decoders = sum(number for is_decoder, number in held if is_decoder)
        return Resident(sum(number for _, number in held) - decoders, decoders)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record the highest use within the block, starting from the present one."""
        ended = threading.Event()
        self.worst = self.now()

        def watch() -> None:
            while not ended.wait(_WATCH_SECONDS):
                now, worst = self.now(), self.worst
                self.worst = Resident(max(worst.own, now.own), max(worst.decoders, now.decoders))

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(watch)
            try:
                yield
            finally:
                ended.set()
                running.result()


def _held(roots: Iterable[int]) -> Iterator[tuple[bool, int]]:
    """Yield for each process and its descendants if it is a decoder, and its bytes."""
    found = set()
    for pid in roots:
        with suppress(psutil.Error):  # it has ended
            root = psutil.Process(pid)
            found.update((root, *root.children(recursive=True)))
    for process in found:
        with suppress(psutil.Error):
            yield DECODER in process.cmdline(), process.memory_full_info().pss
