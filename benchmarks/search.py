"""Benchmark of search latency: one caller, many callers, after a burst and during training.

    python -m benchmarks.search FOLDER [--pictures N] [--rounds N] [--models FOLDER]

A real server has indexed pictures made from the photographs of FOLDER. In each round 1, 8, 32 and
again 1 caller search with them, each one query after another; then one caller searches during
trains with small and with 12-megapixel pictures, which run once more without it. The bare engine
describes the same pictures before and after.

The additive ideal is the rate if a search took nothing but decoding, describing, and the HTTP
floor: the CPU of a server that does nothing, and of its caller. The share by CPU is the part of a
search's CPU seconds that the ideal has; other programs hardly change it. No further round begins
after two minutes. The exit code is 1 if a goal is missed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import machine, photos
from benchmarks.bare import Bare, Cost
from benchmarks.callers import STAGES, Answers, searches
from benchmarks.processes import of_server
from benchmarks.server import Server, running
from benchmarks.start import EMPTY, Side
from client_sdk import JobHandle

_COMPANY, _BURST = 8, 32
_SIZES = {"held": photos.SMALL, "500x375": photos.SMALL, "4000x3000": photos.LARGE}
_TRAINED = ("500x375", "4000x3000")
_MOST_SECONDS = 120.0
_QUIET = 0.1

_SHARE = "8 callers, share of the additive ideal"
_SHARE_CPU = "8 callers, share of the additive ideal by CPU"
_LONE = "one caller, median - forward pass, ms"
_AFTER = "one caller after 32, median / before"
_DURING = "one caller during a train of {}, p95 / p95 when idle"
_KEPT = "train of {} with a caller, rate / without"
_AT_LEAST = {_SHARE: 0.85, **{_KEPT.format(size): 0.8 for size in _TRAINED}}
_AT_MOST = {_LONE: 15.0, _AFTER: 1.2, **{_DURING.format(size): 3.0 for size in _TRAINED}}


class Benchmark:
    """The server, the tools and the figures: answers by situation, and numbers by goal."""

    def __init__(self, server: Server, bare: Bare, made: Path, seconds: float) -> None:
        self._server = server
        self._bare = bare
        self._made = made
        self._seconds = seconds
        self._queries = [file.read_bytes() for file in sorted((made / "held").rglob("*.jpg"))]
        self._pixels = np.stack([bare.decoded(one) for one in self._queries[:32]])
        self._floor = _floor(made.parent, self._queries, seconds)
        self.answers: dict[str, list[Answers]] = defaultdict(list)
        self.figures: dict[str, list[float]] = defaultdict(list)
        self.describe_ms: list[float] = []
        server.client.train(str(made / "held")).wait(timeout=7200)

    def measure(self) -> None:
        """Run one round of all measurements."""
        before = self._describing()
        alone = self._searches("1 caller", 1)
        used = self._used()
        company = self._searches("8 callers", _COMPANY)
        used = self._used() - used
        describe = Cost.mean(before, self._describing())
        self._compare(company, used / len(company.answered), describe)
        self._searches("32 callers", _BURST)
        after = self._searches("1 caller after 32", 1)
        self._note(_LONE, alone.percentile(50) - 1000 * describe.seconds)
        self._note(_AFTER, after.percentile(50) / alone.percentile(50))
        for size in _TRAINED:
            self._train(size)

    def _compare(self, company: Answers, used: float, describe: Cost) -> None:
        cores = machine.cores()
        decode = self._bare.decoding(self._queries, seconds=self._seconds / 4)
        one_core = decode.seconds + self._floor
        self.describe_ms.append(1000 * describe.seconds)
        self._note(_SHARE, company.per_second * (one_core / cores + describe.seconds))
        ideal = decode.cpu_seconds + describe.cpu_seconds + self._floor
        self._note(_SHARE_CPU, ideal / used)
        self._note("CPU of a search, ms", 1000 * used)
        self._note("CPU of the additive ideal, ms", 1000 * ideal)

    def _train(self, size: str) -> None:
        idle = self._searches("1 caller", 1)
        rates = []
        for going in (True, False):
            job = self._server.client.train(str(self._made / size), collection=size)
            if going:
                during = self._searches_during(job)
                self.answers[f"1 caller, train {size}"].append(during)
            rates.append(job.wait(timeout=7200, interval=0.2).images_per_second or 0.0)
            self._server.client.collection(size).delete()
        self._note(_DURING.format(size), during.percentile(95) / idle.percentile(95))
        self._note(_KEPT.format(size), rates[0] / rates[1])

    def _searches_during(self, job: JobHandle) -> Answers:
        def is_open() -> bool:
            return not self._server.client.job(job).state.is_final

        return searches(self._server.url, self._queries, going_on=is_open)

    def _searches(self, situation: str, callers: int) -> Answers:
        answers = searches(
            self._server.url, self._queries, callers=callers, seconds=self._seconds, at_least=20
        )
        self.answers[situation].append(answers)
        return answers

    def _used(self) -> float:
        """Return the CPU seconds of the server and of its callers."""
        return machine.own_seconds() + sum(each.cpu_seconds for each in self._server.processes())

    def _describing(self) -> Cost:
        return self._bare.describing(self._pixels, batch=1, seconds=self._seconds / 2)

    def _note(self, name: str, number: float) -> None:
        self.figures[name].append(number)
        print(f"{name}: {number:.3f}", flush=True)


def _floor(folder: Path, queries: list[bytes], seconds: float) -> float:
    """Return the CPU seconds of a search of a server that does nothing, and of its caller."""
    side = Side("empty", folder / "empty", EMPTY)
    side.home.mkdir()

    def used() -> float:
        return machine.own_seconds() + sum(each.cpu_seconds for each in of_server(side.home))

    with side.started() as port:
        url = f"http://127.0.0.1:{port}"
        searches(url, queries, callers=_COMPANY, at_least=50)
        before = used()
        answers = searches(url, queries, callers=_COMPANY, seconds=seconds / 2, at_least=200)
        floor = (used() - before) / len(answers.answered)
    print(f"HTTP floor, CPU of a search, ms: {1000 * floor:.3f}", flush=True)
    return floor


def main() -> int:
    """Measure and print."""
    began = time.perf_counter()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--pictures", type=int, default=200, help="in the collection (200)")
    parser.add_argument("--trained", type=int, default=40, help="in each train (40)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
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
            benchmark = Benchmark(server, bare, made, options.seconds)
            for number in range(options.rounds):
                if number and time.perf_counter() - began > _MOST_SECONDS:
                    break
                print(f"\nround {number + 1}", flush=True)
                _warn_of_others(server, benchmark.measure)
    _print(benchmark)
    return _judge(benchmark.figures)


def _warn_of_others(server: Server, measure: Callable[[], None]) -> None:
    """Measure, and warn if other programs used the machine meanwhile."""
    elsewhere, began = server.seconds_elsewhere(), time.perf_counter()
    measure()
    available = machine.cores() * (time.perf_counter() - began)
    share = (server.seconds_elsewhere() - elsewhere) / available
    if share > _QUIET:
        print(f"WARNING: other programs used {share:.0%} of the machine; trust the CPU figures")


def _print(benchmark: Benchmark) -> None:
    describe_ms = statistics.median(benchmark.describe_ms)
    print("\nmilliseconds that callers waited, and the medians of the stages")
    columns = ("queries/s", "p50", "p95", *STAGES)
    print(f"{'':<26}" + "".join(f"{column:>10}" for column in columns))
    for situation, rounds in benchmark.answers.items():
        waits = np.median([[one.percentile(50), one.percentile(95)] for one in rounds], axis=0)
        stages = np.median([one.stages(describe_ms) for one in rounds], axis=0)
        numbers = (statistics.median(one.per_second for one in rounds), *waits, *stages)
        print(f"{situation:<26}" + "".join(f"{number:>10.1f}" for number in numbers))


def _judge(figures: dict[str, list[float]]) -> int:
    """Print the medians and whether goals are reached, and return the exit code."""
    print()
    missed = 0
    for name, numbers in figures.items():
        number, goal = statistics.median(numbers), ""
        if name in _AT_LEAST:
            is_missed, goal = number < _AT_LEAST[name], f", goal at least {_AT_LEAST[name]:g}"
        elif name in _AT_MOST:
            is_missed, goal = number > _AT_MOST[name], f", goal at most {_AT_MOST[name]:g}"
        if goal:
            goal += " MISSED" if is_missed else " reached"
            missed += is_missed
        print(f"{name}: {number:.3f}{goal}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
