"""A service under attack by every kind of input, one after the other."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from client_sdk import Client
from tests.hostile.attack import SLOWEST_SECONDS, Attack, Memory, Outcome, p95
from tests.hostile.bystander import searching
from tests.hostile.made import Input, encoded, small

MOST_GROWN = 300 * 10**6
"""Bytes by which the service's own memory may grow."""
MOST_SLOWED = 2.0
"""The factor by which an attack may slow down the searches of a bystander."""
_SOUND = 12
_TELLING_LOG = ("Traceback", "Segmentation", "ERROR")


class Service(Protocol):
    """The service under attack."""

    url: str
    data_dir: Path
    images: Path
    log: Path

    def processes(self) -> dict[int, str]: ...


@dataclass
class Tally:
    """The counts of a campaign.

    Attributes:
        outcomes: By the kind of input.
        grown: Bytes that the service's own memory had grown by at its worst, by kind of input.
        decoders: Bytes that its decoders had at their worst.
        kept: Bytes that the service itself still had more at the end.
        alone: Seconds of each of a bystander's searches while nobody attacked.
        attacked: The same while the most costly inputs came in, in turn with the others.
        usual: The same while as many sound pictures came in from as many senders.
        findings: What should not be.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    grown: dict[str, int] = field(default_factory=dict)
    decoders: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    alone: list[float] = field(default_factory=list)
    attacked: list[float] = field(default_factory=list)
    usual: list[float] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """Return the number of all inputs."""
        return sum(outcome.sent for outcome in self.outcomes.values())

    def all_findings(self) -> list[str]:
        """Return the findings of every kind of input, and of the service as a whole."""
        return [*chain(*(outcome.findings for outcome in self.outcomes.values())), *self.findings]


class Campaign:
    """Attacks a started service that has an empty collection `default`."""

    def __init__(
        self,
        service: Service,
        *,
        slowest: float = SLOWEST_SECONDS,
        slowed: float = MOST_SLOWED,
        alone_seconds: float = 8.0,
        settle_seconds: float = 20.0,
    ) -> None:
        """Fill the collection with sound pictures, and see how the service is at rest.

        Args:
            service: The service under attack.
            slowest: Seconds that no answer may take longer than.
            slowed: How many times as long a bystander may wait as while nobody attacks.
            alone_seconds: How long a bystander is measured while nobody attacks.
            settle_seconds: How long the service has at the end to give memory back.
        """
        self.tally = Tally()
        self._slowest = slowest
        self._slowed = slowed
        self._alone_seconds = alone_seconds
        self._settle_seconds = settle_seconds
        self._service = service
        for number in range(_SOUND):
            (service.images / f"{number}.png").write_bytes(encoded(small(number), "PNG"))
        with Client(service.url, timeout=60) as client:
            client.wait_ready(timeout=180)
            client.train(".").wait(timeout=180)
        self._memory = Memory(service.processes)
        self._processes = set(service.processes())

    def attack(self, kind: str, inputs: Iterable[Input]) -> None:
        """Send all of them."""
        with self._watched(kind) as (attack, outcome):
            attack.search_with(inputs, outcome)

    def attack_during_searches(self, kind: str, inputs: Sequence[Input], *, rounds: int) -> None:
        """Send all of them several times, while a bystander searches, and in between as well.

        What sound pictures of the same senders cost the bystander is measured in turn with it.
        """
        url, tally = self._service.url, self.tally
        sound = [Input(f"sound {n}", encoded(small(n), "PNG")) for n in range(len(inputs))]
        with self._watched(kind) as (attack, outcome):
            for _ in range(rounds):
                with searching(url) as alone:
                    time.sleep(self._alone_seconds)
                with searching(url) as attacked:
                    attack.search_with(inputs, outcome)
                with searching(url) as usual:
                    attack.search_with(sound, Outcome())
                tally.alone += alone
                tally.attacked += attacked
                tally.usual += usual
        if p95(tally.attacked) > self._slowed * p95(tally.alone):
            outcome.found(
                f"a bystander waits {1000 * p95(tally.attacked):.0f} ms, and "
                f"{1000 * p95(tally.alone):.0f} while nobody attacks (95th percentiles)"
            )

    @contextmanager
    def _watched(self, kind: str) -> Iterator[tuple[Attack, Outcome]]:
        outcome = Outcome()
        with self._attacking() as attack, self._memory.watching():
            yield attack, outcome
            if not attack.is_ready():
                outcome.found(f"after {kind} the service is not ready")
        self.tally.outcomes[kind] = outcome
        self.tally.grown[kind] = self._memory.worst.own - self._memory.before.own
        self.tally.decoders[kind] = self._memory.worst.decoders
        if self.tally.grown[kind] > MOST_GROWN:
            outcome.found(f"{kind}: the service grew by {self.tally.grown[kind] / 2**20:.0f} MiB")

    def end(self) -> None:
        """Look what is left of the service."""
        with self._attacking() as attack:
            sound = Outcome()
            attack.search_with(
                (Input(f"sound {n}", encoded(small(n), "PNG")) for n in range(_SOUND)), sound
            )
        if set(sound.statuses) != {200}:
            self.tally.findings.append(f"sound pictures are answered {dict(sound.statuses)}")
        if gone := self._processes - set(self._service.processes()):
            self.tally.findings.append(f"{len(gone)} of the service's processes have ended")
        deadline = time.monotonic() + self._settle_seconds
        while (kept := self._memory.now().own - self._memory.before.own) > 0:
            if time.monotonic() > deadline:
                break
            time.sleep(1)
        self.tally.kept = max(kept, 0)
        log = self._service.log.read_text(errors="replace")
        self.tally.findings += [
            f"the log has {telling}: {log[log.index(telling) - 200 :][:1500]}"
            for telling in _TELLING_LOG
            if telling in log
        ]

    @contextmanager
    def _attacking(self) -> Iterator[Attack]:
        secrets = (str(self._service.data_dir), str(self._service.images))
        attack = Attack(self._service.url, secrets, slowest=self._slowest)
        try:
            yield attack
        finally:
            attack.close()
