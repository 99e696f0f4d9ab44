"""Killing a service again and again under load, and looking what is left.

`Campaign` needs a service that can be launched, killed and stopped: the whole one with BentoML and
the network, or the light one.
"""

import fcntl
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from client_sdk import ConnectError
from tests.chaos.crash_points import POINTS, CrashPoint
from tests.chaos.ledger import Finding, Ledger
from tests.chaos.load import Caller, Load
from tests.chaos.looking import look_at_all, look_at_catalogue
from tests.chaos.reins import Reins
from tests.chaos.tally import Tally

COLLECTIONS = ("default", "second", "scratch")
_SEEDS = 20
_HIT_SECONDS = 90.0
_POLL_SECONDS = 0.005
_RARE = 40
_STARTS = 3
_STARTING = ("start", "heal")
_LEADS_TO = {
    "undo": ["reindex", "look", "undo", "look", "look"],
    "reindex": ["reindex", "look", "upload", "look"],
    "create": ["create", "drop"],
    "drop": ["upload", "look", "drop"],
    "delete_all": ["upload", "look", "look", "delete_all"],
    "delete": ["upload", "look", "look", "delete"],
    "delete_where": ["upload", "look", "look", "delete_where"],
    "patch": ["upload", "look", "look", "patch"],
}


class Service(Protocol):
    """The service under test, whole or light."""

    url: str
    data_dir: Path
    images: Path
    log: Path
    environment: dict[str, str]

    def launch(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def processes(self) -> dict[int, str]: ...


class Campaign:
    """One data folder, killed and looked at again and again."""

    def __init__(
        self,
        service: Service,
        reins: Reins,
        tally: Tally,
        random_: random.Random,
        *,
        load_seconds: float = 2.0,
        start_seconds: float = 5.0,
    ) -> None:
        """Prepare.

        Args:
            service: Not started yet.
            reins: How it is led.
            tally: Where everything is counted.
            random_: Decides everything.
            load_seconds: The longest load before a kill at a random moment.
            start_seconds: Until when a start is killed at a random moment.
        """
        self.service = service
        self.reins = reins
        self.tally = tally
        self.random = random_
        self.ledgers = [Ledger(name, exists=frozenset({name == "default"})) for name in COLLECTIONS]
        self.lose_index: Callable[[], None] = self._lose_lite
        self._load_seconds = load_seconds
        self._start_seconds = start_seconds

    def begin(self) -> None:
        """Start the service for the first time."""
        self.reins.disarm()
        self.launch()
        self.look("the first start")

    def launch(self) -> None:
        """Start the service as soon as the kernel has closed what the dead one had open."""
        self.service.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.service.data_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
        self.service.launch()

    def look(self, when: str) -> list[Finding]:
        """Compare everything with a service that was started."""
        findings = look_at_all(self.service.url, self.ledgers, self.reins, self.random)
        self.tally.found(findings, when)
        return findings

    @contextmanager
    def callers(self, provoked_by: str = "") -> Iterator[list[Caller]]:
        """Yield a caller for each collection; the first can do the wanted operation."""
        order = list(enumerate(self.ledgers))
        self.random.shuffle(order)
        if provoked_by in ("create", "drop"):
            order.sort(key=lambda one: one[1].collection != "scratch")
        made = [
            Caller(
                self.service.url,
                ledger,
                self.service.images,
                range(number * 1000, number * 1000 + _SEEDS),
                random.Random(self.random.random()),  # noqa: S311
                is_scratch=ledger.collection == "scratch",
            )
            for number, ledger in order
        ]
        try:
            yield made
        finally:
            for caller in made:
                caller.close()

    def kill_under_load(self, point: CrashPoint | None = None) -> None:
        """Kill a service at work, at a point or at a random moment, and start it again."""
        self.reins.disarm()
        provoked_by = point.provoked_by if point else ""
        if point is not None:
            self.reins.arm(point)
        with self.callers(provoked_by) as callers:
            if provoked_by == "quiet":
                with suppress(ConnectError):  # it may die before it has answered
                    callers[0].do("upload")
                callers = []
            first = _LEADS_TO.get(provoked_by, [provoked_by] if provoked_by else []) * _RARE
            with Load(callers, first):
                self._wait(_HIT_SECONDS if point else self.random.uniform(0, self._load_seconds))
                self.service.kill()
            for caller in callers:
                self.tally.found(caller.findings, self._moment(point))
        self._count(point, "at work")
        self._again(point)

    def kill_starting(self, point: CrashPoint | None = None) -> None:
        """Kill a service at rest, and while it starts again, at a point or at random moments."""
        self.service.kill()
        self.tally.kills["at rest"] += 1
        self.reins.disarm()
        if point is not None:
            self.reins.arm(point)
            if point.provoked_by == "heal":
                self.lose_index()
        for _ in range(1 if point else self.random.randint(1, _STARTS)):
            self.launch()
            self._wait(_HIT_SECONDS if point else self.random.uniform(0, self._start_seconds))
            self.service.kill()
            found = look_at_catalogue(self.service.data_dir / "catalogue.db", self.ledgers)
            self.tally.found(found, self._moment(point))
            self._count(point, "while starting")
        self._again(point)

    def at(self, point: CrashPoint) -> None:
        """Kill it at a point."""
        if point.provoked_by in _STARTING:
            self.kill_starting(point)
        else:
            self.kill_under_load(point)

    def _lose_lite(self) -> None:
        """Throw the index of a service away that does not run."""
        shutil.rmtree(self.service.data_dir / "milvus.db", ignore_errors=True)

    def _again(self, point: CrashPoint | None) -> None:
        self.reins.disarm()
        self.launch()
        self.look(self._moment(point))

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.reins.was_hit:
            time.sleep(_POLL_SECONDS)

    def _count(self, point: CrashPoint | None, moment: str) -> None:
        self.tally.kills[moment if point is None else "at crash points"] += 1
        if point is not None:
            self.tally.armed[point.name] += 1
            self.tally.hits[point.name] += self.reins.was_hit

    def _moment(self, point: CrashPoint | None) -> str:
        return f"kill {self.tally.killed}, {point.name if point else 'at random'}"


def next_point(tally: Tally, random_: random.Random) -> CrashPoint:
    """Return one of the crash points that were hit least."""
    least = min(tally.hits[point.name] + tally.armed[point.name] for point in POINTS)
    return random_.choice(
        [one for one in POINTS if tally.hits[one.name] + tally.armed[one.name] == least]
    )
