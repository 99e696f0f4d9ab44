"""The counts of a campaign, written after every kill so that a campaign can be continued."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.ledger import Fault, Finding

_SHOWN = 50


@dataclass
class Tally:
    """Counts of one backend.

    Attributes:
        kills: By what was killed, or when.
        hits: Times that the service died at each crash point.
        armed: Times that it was asked to.
        trials: Times that each other fault was tried.
        healed: Times that a log line told of an index that was built again.
        skipped: Why a fault was not tried.
        faults: What was found, by kind.
        details: The first of them.
        seconds: Spent.
    """

    backend: str
    kills: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    armed: Counter[str] = field(default_factory=Counter)
    trials: Counter[str] = field(default_factory=Counter)
    healed: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    details: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def killed(self) -> int:
        """All kills of the whole service."""
        return sum(self.kills.values())

    def found(self, findings: Iterable[Finding], when: str) -> None:
        """Count faults."""
        for finding in findings:
            self.faults[finding.fault.value] += 1
            if len(self.details) < _SHOWN:
                self.details.append(f"{when}: {finding.fault}: {finding.detail}")

    @property
    def is_clean(self) -> bool:
        return not any(self.faults[fault.value] for fault in Fault)

    def write(self, path: Path) -> None:
        """Exchange the file in one step."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(vars(self), indent=1))
        part.rename(path)

    @classmethod
    def read(cls, path: Path, backend: str) -> "Tally":
        """Read the counts of an earlier campaign; zeros if there is none."""
        if not path.exists():
            return cls(backend)
        known = json.loads(path.read_text())
        for name in ("kills", "hits", "armed", "trials", "healed", "faults"):
            known[name] = Counter(known[name])
        return cls(**known)
