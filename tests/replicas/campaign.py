"""Killing one of two replicas again and again under load, while the other goes on."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from bento_service.descriptors.describer import Describer
from bento_service.ingest.worker.worker import LEASED_TURNS, TURN
from client_sdk import LookalikeError
from client_sdk.schemas import JobState
from tests.admin.serving import VERSION, picture, projected
from tests.chaos.campaign import COLLECTIONS
from tests.chaos.crash_points import POINTS, CrashPoint
from tests.chaos.ledger import Fault, Finding, Ledger
from tests.chaos.light import LightServer
from tests.chaos.load import Caller, Load
from tests.chaos.looking import look_at_all
from tests.chaos.reins import Reins
from tests.chaos.tally import Tally
from tests.replicas.pair import Pair, client
from tests.support.local_decoder import LocalDecoder
from tests.support.waiting import running, wait_until

LEASE = LEASED_TURNS * TURN
"""Files of one job that a replica has leased at most."""
COLLECTION = "work"
_FILES = 120
_SEEDS = 20
_LOAD_SECONDS = 2.0
_AFTER_SECONDS = 1.0
_HIT_SECONDS = 15.0
_JOB_SECONDS = 120.0
_POLL_SECONDS = 0.005
_RARE = 40
_KILLED_AGAIN = 0.3
_NOT_PROVOKED = ("start", "heal", "quiet")
OWN_POINTS = [point for point in POINTS if point.provoked_by not in _NOT_PROVOKED]
"""The crash points that calls of running services come by."""


class Campaign:
    """Two replicas, of which one at a time is killed.

    Args:
        pair: The replicas, which are running.
        reins: How their processes are led.
        tally: Where everything is counted.
        random_: Decides everything.
    """

    def __init__(self, pair: Pair, reins: Reins, tally: Tally, random_: random.Random) -> None:
        self.tally = tally
        self._pair = pair
        self._reins = reins
        self._random = random_
        self._ledgers = [
            Ledger(name, exists=frozenset({name == "default"})) for name in COLLECTIONS
        ]

    def step(self, point: CrashPoint | None = None) -> None:
        """Kill a replica at work, at a point or at a random moment, and start it again."""
        self._reins.disarm()
        when = f"kill {self.tally.killed + 1}, {point.name if point else 'at random'}"
        job = _Job(self._pair, 1_000_000 + 1000 * self.tally.killed)
        if point is not None:
            self._reins.arm(point)
        with self._callers(point) as callers, Load(callers, _leading_to(point)):
            job.start(self._random.choice(self._pair.servers))
            dead = self._kill(point)
            (alive,) = (server for server in self._pair.servers if server is not dead)
            self._count(when, _searched(alive, _AFTER_SECONDS))
        for caller in callers:
            self._count(when, caller.findings)
        self.tally.kills["of one of two replicas"] += 1
        self._count(when, job.ended(alive))
        self._look(alive, when)
        self._start_again(dead)
        self._look(dead, f"{when}, started again")

    def some_point(self) -> CrashPoint | None:
        """Return one of the crash points that were tried least, or `None` for a random moment."""
        if self._random.random() < 0.5:
            return None
        least = min(self.tally.armed[point.name] for point in OWN_POINTS)
        return self._random.choice([p for p in OWN_POINTS if self.tally.armed[p.name] == least])

    def _count(self, when: str, findings: Sequence[Finding]) -> None:
        self.tally.found(findings, when)

    def _look(self, server: LightServer, when: str) -> None:
        findings = look_at_all(server.url, self._ledgers, self._reins, self._random)
        self._count(when, findings)

    @contextmanager
    def _callers(self, point: CrashPoint | None) -> Iterator[list[Caller]]:
        """Callers, one for each collection; the first is one that can lead to the point."""
        made = [
            Caller(
                self._random.choice(self._pair.servers).url,
                ledger,
                self._pair.images,
                range(number * 1000, number * 1000 + _SEEDS),
                random.Random(self._random.random()),  # noqa: S311
                is_scratch=ledger.collection == "scratch",
            )
            for number, ledger in enumerate(self._ledgers)
        ]
        self._random.shuffle(made)
        if point is not None and point.provoked_by in ("create", "drop"):
            made.sort(key=lambda one: one.ledger.collection != "scratch")
        try:
            yield made
        finally:
            for caller in made:
                caller.close()

    def _kill(self, point: CrashPoint | None) -> LightServer:
        """Return the replica that died at the point, or that was killed."""
        seconds = _HIT_SECONDS if point else self._random.uniform(0, _LOAD_SECONDS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._reins.was_hit:
            time.sleep(_POLL_SECONDS)
        was_hit = self._reins.was_hit
        if point is not None:
            self.tally.armed[point.name] += 1
            self.tally.hits[point.name] += was_hit
        if not was_hit:
            self._reins.disarm()
            self._random.choice(self._pair.servers).kill()
        dead = wait_until(lambda: [one for one in self._pair.servers if not one.processes()])
        return dead[0]

    def _start_again(self, server: LightServer) -> None:
        self._pair.launch(server)
        if self._random.random() < _KILLED_AGAIN:
            time.sleep(self._random.uniform(0, _LOAD_SECONDS))
            server.kill()
            self.tally.kills["while starting"] += 1
            self._pair.launch(server)


class _Job:
    """A job of pictures that nothing else has."""

    def __init__(self, pair: Pair, first: int) -> None:
        self._pair = pair
        self._folder = pair.images / COLLECTION / str(first)
        self._folder.mkdir(parents=True)
        self._keys = [_written(self._folder, seed) for seed in range(first, first + _FILES)]
        self._id = ""

    def start(self, server: LightServer) -> None:
        with client(server) as one:
            try:
                job = one.train(self._folder, collection=COLLECTION)
            except LookalikeError:  # it died before it has answered
                return
            self._id = job.id or ""

    def ended(self, server: LightServer) -> list[Finding]:
        """Wait for the job's end; return what is wrong with it."""
        if not self._id:
            return []
        with client(server) as one:
            try:
                job = one.job(self._id).wait(timeout=_JOB_SECONDS, interval=0.05)
            except LookalikeError as error:
                return [Finding(Fault.UNFINISHED, f"{COLLECTION}: {error}")]
        findings = []
        if (job.state, job.total, job.indexed) != (JobState.COMPLETED, _FILES, _FILES):
            findings.append(Finding(Fault.LOST, f"{COLLECTION}: {job}"))
        described = sum(self._pair.descriptions(), Counter[str]())
        times = sum(described[key] for key in self._keys)
        if times > _FILES + LEASE:
            findings.append(Finding(Fault.DUPLICATE, f"{times} descriptions of {_FILES} files"))
        return findings


def _written(folder: Path, seed: int) -> str:
    """Write a picture; return the line that `Projecting` writes when it describes it."""
    content = picture(seed)
    (folder / f"{seed}.png").write_bytes(content)
    made = VERSION.preprocessing
    decoder = LocalDecoder(max_pixels=10**6)
    describer = Describer(decoder, projected, side=made.size, padding=made.padding)
    return sha256(describer.decode(content).pixels).hexdigest()


def _leading_to(point: CrashPoint | None) -> list[str]:
    return [] if point is None else [point.provoked_by, "look"] * _RARE


def _searched(server: LightServer, seconds: float) -> list[Finding]:
    """Search without a pause for some seconds; return the failures."""
    findings: list[Finding] = []
    stop = threading.Event()

    def search() -> None:
        with client(server, retries=0) as one:
            while not stop.is_set():
                try:
                    one.search(picture(1), collection=COLLECTION)
                except LookalikeError as error:
                    findings.append(Finding(Fault.REFUSED, f"{COLLECTION}: {error!r}"))
                    return

    with running(threading.Thread(target=search), stop=stop.set):
        time.sleep(seconds)
    return findings
