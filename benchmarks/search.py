"""Benchmark of search latency: one caller, many callers, after a burst and during training.

    python -m benchmarks.search FOLDER [--pictures N] [--rounds N] [--models FOLDER]

A real server has indexed pictures made from the photographs of FOLDER. Callers search with them,
each one query after another. In each round 1, 8 and 32 callers search. Before and after the 8
callers, the bare engine describes the same pictures in batches. Then one caller searches again, and
before, during and after training with small and with 12-megapixel pictures. The exit code is 1 if a
goal is missed.
"""

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import machine, photos
from benchmarks.bare import Bare
from benchmarks.callers import STAGES, Answers, searches
from benchmarks.server import Server, running

_CALLERS = (1, 8, 32)
_BURST = 32
_BATCHES = (1, 8)
_SIZES = {"held": photos.SMALL, "500x375": photos.SMALL, "4000x3000": photos.LARGE}
_TRAINED = ("500x375", "4000x3000")


@dataclass(frozen=True)
class Goal:
    """A value that a ratio must reach or must not exceed."""

    limit: float
    at_least: bool

    def verdict(self, ratio: float) -> str:
        """Return the verdict on a ratio as text."""
        return "reached" if self.is_reached(ratio) else "MISSED"

    def is_reached(self, ratio: float) -> bool:
        """Return True if a ratio reaches the goal."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


_COMPANY = "8 callers, searches a second / pictures a second of the bare engine"
_AFTER = "one caller after a burst of 32, median / before it"
_DURING = "one caller during a train of {}, p95 / p95 when idle"
_GOALS = {
    _COMPANY: Goal(0.95, at_least=True),
    _AFTER: Goal(1.2, at_least=False),
    **{_DURING.format(size): Goal(3.0, at_least=False) for size in _TRAINED},
}


@dataclass
class Figures:
    """The measurements: answers by situation, and a number or ratio a round."""

    answers: dict[str, list[Answers]] = field(default_factory=lambda: defaultdict(list))
    bare: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    ratios: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Room:
    """A running server with indexed pictures, and the tools to measure it."""

    def __init__(self, server: Server, bare: Bare, made: Path, seconds: float) -> None:
        self._server = server
        self._bare = bare
        self._made = made
        self._seconds = seconds
        self._queries = [file.read_bytes() for file in sorted((made / "held").rglob("*.jpg"))]
        self._pixels = np.stack([bare.decoded(one) for one in self._queries[:32]])
        self.figures = Figures()
        server.client.train(str(made / "held")).wait(timeout=7200)

    def measure(self) -> None:
        """Run one round of all measurements."""
        alone = self._searches("1 caller", callers=1)
        before = self._bare_speeds()
        company = self._searches("8 callers", callers=8)
        after = self._bare_speeds()
        self._note(_COMPANY, company.per_second / statistics.mean((before[8], after[8])))
        self._searches("32 callers", callers=_BURST)
        at_once = self._searches("1 caller after 32", callers=1)
        self._note(_AFTER, at_once.percentile(50) / alone.percentile(50))
        for size in _TRAINED:
            self._during_a_train(size)

    def _during_a_train(self, size: str) -> None:
        client, collection = self._server.client, f"trained-{size}"
        idle = [self._searches("1 caller", callers=1)]
        job = client.train(str(self._made / size), collection=collection)
        during = searches(
            self._server.url,
            self._queries,
            going_on=lambda: not client.job(job).state.is_final,
        )
        self.figures.answers[f"1 caller, train {size}"].append(during)
        client.delete_collection(collection)
        idle.append(self._searches("1 caller", callers=1))
        usual = statistics.mean(answers.percentile(95) for answers in idle)
        self._note(_DURING.format(size), during.percentile(95) / usual)

    def _searches(self, situation: str, *, callers: int) -> Answers:
        answers = searches(
            self._server.url, self._queries, callers=callers, seconds=self._seconds, at_least=20
        )
        self.figures.answers[situation].append(answers)
        return answers

    def _bare_speeds(self) -> dict[int, float]:
        """Return the bare engine's pictures a second, by batch size."""
        speeds = {}
        for batch in _BATCHES:
            cost = self._bare.describing(self._pixels, batch=batch, seconds=self._seconds / 2)
            speeds[batch] = 1 / cost.seconds
            self.figures.bare[batch].append(speeds[batch])
        return speeds

    def _note(self, goal: str, ratio: float) -> None:
        self.figures.ratios[goal].append(ratio)
        print(f"{goal}: {ratio:.3f}", flush=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--pictures", type=int, default=200, help="in the collection (200)")
    parser.add_argument("--trained", type=int, default=60, help="in each train (60)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (10)")
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    print(machine.described(), flush=True)
    bare = Bare.load(options.models)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made, first = folder / "photographs", 0
        for kind, size in _SIZES.items():
            count = options.pictures if kind == "held" else options.trained
            photos.make(options.folder, made / kind, size=size, count=count, first=first)
            first += count
        with running(folder, images=made, models=options.models) as server:
            room = Room(server, bare, made, options.seconds)
            for number in range(options.rounds):
                print(f"\nround {number + 1}", flush=True)
                room.measure()
    _print(room.figures)
    return _judge(room.figures)


def _print(figures: Figures) -> None:
    describe_ms = 1000 / statistics.median(figures.bare[1])
    print("\nmilliseconds that callers waited, median of the rounds, and what for")
    columns = ("", "queries/s", "p50", "p95", "p99", *STAGES)
    print(f"{columns[0]:<28}" + "".join(f"{column:>10}" for column in columns[1:]))
    for situation, rounds in figures.answers.items():
        speeds = [one.per_second for one in rounds]
        waits = [[one.percentile(percent) for percent in (50, 95, 99)] for one in rounds]
        shares = np.median([one.shares(describe_ms) for one in rounds], axis=0)
        numbers = [statistics.median(speeds), *np.median(waits, axis=0)]
        line = "".join(f"{number:>10.1f}" for number in numbers)
        print(f"{situation:<28}{line}" + "".join(f"{share:>10.1%}" for share in shares))
    for batch, speeds in figures.bare.items():
        print(f"bare engine, batch {batch}: {statistics.median(speeds):.2f} pictures a second")


def _judge(figures: Figures) -> int:
    """Print whether the goals are reached, and return the exit code."""
    print()
    missed = 0
    for name, goal in _GOALS.items():
        ratio = statistics.median(figures.ratios[name])
        bound = "at least" if goal.at_least else "at most"
        print(f"{name}: {ratio:.3f}, goal {bound} {goal.limit:g} {goal.verdict(ratio)}")
        missed += not goal.is_reached(ratio)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
