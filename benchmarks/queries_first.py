"""Benchmark of queries at an embedder that a job keeps busy, and of the cost for the job.

    python -m benchmarks.queries_first [--rounds N] [--queries N] [--models FOLDER]

A real embedder process describes pictures of noise, called as the service calls it. One caller
sends one query after another, with a short pause. At the same time a job sends pictures in three
ways, in turns:

small    two pictures in a message, one message at a time, among the queries, as in early releases;
large    eight pictures in a message, two messages at a time, among the queries;
apart    the same messages to the method for jobs, behind the queries.

For each way and round, the benchmark prints the waiting time of a query, absolute and divided by
its waiting time without a job, and the embedder's pictures a second and CPU milliseconds a picture,
queries included. At last eight callers send queries without a pause, and the benchmark prints how
fast the job is described meanwhile, divided by its speed without queries.
"""

import argparse
import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine, processes
from benchmarks.models import model_folder
from benchmarks.server import free_port, linked_home
from bento_service.descriptors.choice import choose
from bento_service.descriptors.hardware import Hardware
from bento_service.descriptors.model import find_versions
from bento_service.serving.remote_embedder import RemoteEmbedder
from bento_service.settings import Settings

_PROJECT = Path(__file__).parents[1]
_PAUSE_SECONDS = 0.05
_READY_TRIES = 3000
_ANSWER_SECONDS = 600.0


@dataclass(frozen=True)
class Job:
    """A job's way to send pictures: pictures in a message, and messages at a time."""

    pictures: int
    messages: int
    is_apart: bool


_JOBS = {
    "small": Job(2, 1, is_apart=False),
    "large": Job(8, 2, is_apart=False),
    "apart": Job(8, 2, is_apart=True),
}

_CALLERS = Job(1, 8, is_apart=False)
"""Eight callers that send queries without a pause."""


@dataclass(frozen=True)
class Figures:
    """The measurements of one situation.

    Attributes:
        waited: The waiting time of each query, in milliseconds.
        per_second: The pictures of the job and the queries, a second.
        cpu_ms: The embedder's CPU milliseconds for each of them.
    """

    waited: list[float]
    per_second: float
    cpu_ms: float

    def percentile(self, percent: float) -> float:
        """Return a percentile of the queries' waiting times, in milliseconds."""
        return float(np.percentile(self.waited, percent))


@dataclass(frozen=True)
class Room:
    """A running embedder, and pictures for it."""

    embedder: RemoteEmbedder
    home: Path
    images: NDArray[np.uint8]
    queries: int

    async def measure(self, job: Job | None) -> Figures:
        """Send queries one after another, with or without a job at the same time."""
        async with self._sending(*([job] if job else [])) as done:
            await asyncio.sleep(0.5)
            before, cpu, started = done[job], self._cpu_seconds(), time.perf_counter()
            waited = [await self._query() for _ in range(self.queries)]
            seconds, used = time.perf_counter() - started, self._cpu_seconds() - cpu
            described = done[job] - before + self.queries
        return Figures(waited, described / seconds, 1000 * used / described)

    async def stream(self, *jobs: Job, seconds: float) -> Counter[Job | None]:
        """Return the pictures of each job that were described in a time."""
        async with self._sending(*jobs) as done:
            await asyncio.sleep(seconds / 4)
            before = Counter(done)
            await asyncio.sleep(seconds)
            return done - before

    @asynccontextmanager
    async def _sending(self, *jobs: Job) -> AsyncIterator[Counter[Job | None]]:
        """Send pictures of jobs without a pause; yield the numbers of described ones."""
        done: Counter[Job | None] = Counter()
        over = asyncio.Event()

        async def send(job: Job) -> None:
            embedder = self.embedder
            ask = embedder.describe_ingest if job.is_apart else embedder.describe_query
            while not over.is_set():
                await ask(self.images[: job.pictures])
                done[job] += job.pictures

        async with asyncio.TaskGroup() as tasks:
            for job in jobs:
                for _ in range(job.messages):
                    tasks.create_task(send(job))
            yield done
            over.set()

    async def _query(self) -> float:
        await asyncio.sleep(_PAUSE_SECONDS)
        started = time.perf_counter()
        await self.embedder.describe_query(self.images[:1])
        return 1000 * (time.perf_counter() - started)

    def _cpu_seconds(self) -> float:
        found = processes.of_server(self.home)
        return sum(one.cpu_seconds for one in found if one.name == processes.EMBEDDER)


@contextmanager
def _running(folder: Path, models: Path) -> Iterator[str]:
    """Start an embedder, yield its URL, and stop it at the end."""
    home, port = linked_home(folder, models), free_port()
    command = [sys.executable, "-m", "bentoml_cli._internal.start", "start-http-server"]
    service = ["bento_service.service:ImageSearch", "--service-name", processes.EMBEDDER]
    environment = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true"}
    with (folder / "embedder.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *service, "--host", "127.0.0.1", "--port", str(port)],
            cwd=_PROJECT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def _measured(options: argparse.Namespace, folder: Path, url: str) -> None:
    choice = choose(Settings.from_environment(), Hardware.detect())
    versions = find_versions(model_folder(options.models), choice)
    async with RemoteEmbedder(url, versions, answer_seconds=_ANSWER_SECONDS) as embedder:
        images = np.random.default_rng(1).integers(0, 256, (8, 224, 224, 3), np.uint8)
        room = Room(embedder, folder / "bentoml", images, options.queries)
        for _ in range(_READY_TRIES):
            if await embedder.is_ready():
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        await room.measure(None)
        await _rounds(room, options.rounds)
        await _streams(room, options.rounds, options.seconds)


async def _rounds(room: Room, rounds: int) -> None:
    ratios: dict[str, list[float]] = {name: [] for name in _JOBS}
    speeds: list[float] = []
    names = ("round", "job", "p50 ms", "p95 ms", "/ alone", "pictures/s", "CPU ms")
    print("".join(f"{name:>12}" for name in names), flush=True)
    for number in range(1, rounds + 1):
        alone = await room.measure(None)
        _print(number, "none", alone, 1.0)
        per_second = {}
        for name, job in _JOBS.items():
            figures = await room.measure(job)
            ratios[name].append(figures.percentile(50) / alone.percentile(50))
            per_second[name] = figures.per_second
            _print(number, name, figures, ratios[name][-1])
        speeds.append(per_second["apart"] / per_second["small"])
    for name, found in ratios.items():
        print(f"a query beside a job, {name} / alone, median: {statistics.median(found):.2f}")
    print(f"pictures/s, apart / small, median: {statistics.median(speeds):.2f}")


async def _streams(room: Room, rounds: int, seconds: float) -> None:
    ratios, job = [], _JOBS["apart"]
    for _ in range(rounds):
        alone = await room.stream(job, seconds=seconds)
        beside = await room.stream(job, _CALLERS, seconds=seconds)
        ratios.append(beside[job] / alone[job])
        print(
            f"in {seconds:g} s: a job alone {alone[job]} pictures; beside {_CALLERS.messages} "
            f"callers {beside[job]}, and {beside[_CALLERS]} queries",
            flush=True,
        )
    print(f"a job under a stream of queries / alone, median: {statistics.median(ratios):.2f}")


def _print(number: int, name: str, figures: Figures, ratio: float) -> None:
    values = (
        f"{figures.percentile(50):.0f}",
        f"{figures.percentile(95):.0f}",
        f"{ratio:.2f}",
        f"{figures.per_second:.2f}",
        f"{figures.cpu_ms:.0f}",
    )
    print("".join(f"{value:>12}" for value in (number, name, *values)), flush=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queries_first", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=20, help="in each situation (20)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each stream (20)")
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    print(machine.described(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _running(folder, options.models) as url:
            asyncio.run(_measured(options, folder, url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
