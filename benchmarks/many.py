"""Benchmark of memory while many files are trained, and of the cost of training them again.

    python -m benchmarks.many FOLDER [--files N] [--distinct N] [--models FOLDER]

A real server trains N small files. Describing 20,000 different pictures would take more than an
hour on two cores, so only some are different; the others are copies under other names. Different
pictures are spread evenly, so that describing continues until the end, and no copy is read while
its original is still being described. Every file is read, hashed and committed, and has its row.
Then the same folder is trained twice more: unchanged, and with every byte read. The exit code is 1
if the memory of the API process grows by more than the goal after the warm-up.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, photos
from benchmarks.processes import of_server
from benchmarks.server import Server, running
from client_sdk.schemas import Job

_GOAL_BYTES = 50 * 10**6
_WARM_UP = 0.1
_SIZE = (160, 120)
_FILES_A_FOLDER = 500
_SECONDS_AGO = 3600
_FIRST = 48
_UNDER_WAY = 32
_ROWS = 20
_MOST_SECONDS = 4 * 3600
_API, _EMBEDDER = "lookalike", "vgg16-embedder"


@dataclass(frozen=True)
class Sample:
    """The server at one moment; memory is resident, in bytes."""

    seconds: float
    done: int
    api: int
    embedder: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--files", type=int, default=20_000, help="trained (20000)")
    parser.add_argument("--distinct", type=int, default=200, help="different ones of them (200)")
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    print(machine.described(), flush=True)
    print(
        f"{options.files} files of {_SIZE[0]} x {_SIZE[1]} pixels, of which {options.distinct} are "
        "different pictures; the others are copies, which are read but not described",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = _written(options.folder, folder, files=options.files, distinct=options.distinct)
        with running(folder, images=images, models=options.models) as server:
            growth = _measured(server, folder / "bentoml", images)
    return 0 if growth <= _GOAL_BYTES else 1


def _written(source: Path, folder: Path, *, files: int, distinct: int) -> Path:
    photos.make(source, folder / "different", size=_SIZE, count=distinct)
    contents = [path.read_bytes() for path in sorted((folder / "different").rglob("*.jpg"))]
    images, then = folder / "pictures", time.time() - _SECONDS_AGO
    for number in range(files):
        path = images / f"{number // _FILES_A_FOLDER:03}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[_which(number, files=files, distinct=distinct)])
        os.utime(path, (then, then))
    return images


def _which(number: int, *, files: int, distinct: int) -> int:
    """Return the picture of a file: a new one, or one that was indexed long before."""
    shown = _FIRST + (number + 1 - _FIRST) * (distinct - _FIRST) // (files - _FIRST)
    before = _FIRST + (number - _FIRST) * (distinct - _FIRST) // (files - _FIRST)
    if number < _FIRST:
        return number
    return shown - 1 if shown > before else number % (shown - _UNDER_WAY)


def _measured(server: Server, home: Path, images: Path) -> int:
    """Train three times; return the growth of memory during the first, in bytes."""
    samples: list[Sample] = []
    first, took = _trained(server, images, lambda job, at: samples.append(_sample(home, job, at)))
    _print_samples(samples)
    warm = [one.api for one in samples if one.done >= _WARM_UP * first.total]
    growth = max(warm) - warm[0]
    verdict = "reached" if growth <= _GOAL_BYTES else "MISSED"
    print(
        f"after {_WARM_UP:.0%} of the files memory of {_API} grew by {growth / 1e6:.1f} MB at most "
        f"and was {(warm[-1] - warm[0]) / 1e6:+.1f} MB at the end; goal {_GOAL_BYTES / 1e6:.0f} MB "
        f"{verdict}"
    )
    _print_train("first train", first, took, took)
    for name, verify_bytes in (("again", False), ("again, bytes read", True)):
        again, seconds = _trained(server, images, lambda _job, _at: None, verify_bytes=verify_bytes)
        _print_train(name, again, seconds, took)
    return growth


def _trained(
    server: Server,
    images: Path,
    look: Callable[[Job, float], None],
    *,
    verify_bytes: bool = False,
) -> tuple[Job, float]:
    """Train a folder; return the job and its seconds."""
    started = time.perf_counter()
    job = server.client.train(str(images), verify_bytes=verify_bytes)
    last = job.wait(
        timeout=_MOST_SECONDS, on_progress=lambda seen: look(seen, time.perf_counter() - started)
    )
    if last.started_at is None or last.finished_at is None:
        return last, time.perf_counter() - started
    return last, (last.finished_at - last.started_at).total_seconds()


def _sample(home: Path, job: Job, seconds: float) -> Sample:
    resident = {process.name: process.resident for process in of_server(home)}
    return Sample(seconds, job.done, resident[_API], resident[_EMBEDDER])


def _print_samples(samples: list[Sample]) -> None:
    print(f"{'seconds':>10}{'files':>10}{_API + ' MB':>16}{_EMBEDDER + ' MB':>20}")
    step = max(1, len(samples) // _ROWS)
    for one in [*samples[::step], samples[-1]]:
        print(
            f"{one.seconds:>10.0f}{one.done:>10}{one.api / 1e6:>16.1f}{one.embedder / 1e6:>20.1f}"
        )


def _print_train(name: str, job: Job, seconds: float, first: float) -> None:
    print(
        f"{name}: {seconds:.1f} s, {seconds / first:.4f} of the first; indexed {job.indexed}, "
        f"duplicates {job.duplicates}, unchanged {job.unchanged}, failed {job.failed}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
