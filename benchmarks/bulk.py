"""Benchmark of a bulk run on Ray against the ingest of the service.

    python -m benchmarks.bulk FOLDER [--pictures N] [--python PYTHON] [--models FOLDER]

The same small pictures, made from the photographs of FOLDER, are trained by a real server, and
described on a Ray cluster of this machine by one actor and then by two, with one thread each. Times
are those of the whole train and of the whole command, with the start of Ray. The descriptors of all
three are compared. PYTHON has Ray; `make .cache/bulk/stamp` installs it. The exit code is 1 if two
actors are less than 1.7 times as fast as one, or if descriptors differ.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import machine, photos
from benchmarks.server import running
from model_build.export import export

_PROJECT = Path(__file__).parents[1]
_GOAL = 1.7
_MOST_DIFFERENCE = 1e-6
_SHARDS = 10
"""The number of shards: even, so that two actors get as many."""
_TRAIN_SECONDS = 4 * 3600.0

Descriptors = dict[str, NDArray[np.float32]]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--pictures", type=int, default=20_000, help="(20000)")
    parser.add_argument("--python", type=Path, default=Path(".cache/bulk/bin/python"))
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    print(machine.described(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures, model = folder / "pictures", folder / "model"
        photos.make(options.folder, pictures, size=photos.SMALL, count=options.pictures)
        tag = (_PROJECT / "bento_service" / "model_tag.txt").read_text().strip()
        export(options.models / tag.replace(":", "/"), model)
        before, began = machine.busy_seconds(), time.monotonic()
        service = _train(folder, pictures, options)
        seconds, same = {}, True
        for actors in (1, 2):
            out = folder / f"run-{actors}"
            started = time.monotonic()
            shard = max(1, options.pictures // _SHARDS)
            _run(options.python, pictures, out, model, actors=actors, shard=shard)
            seconds[actors] = time.monotonic() - started
            _print_rate(f"Ray, actors: {actors}", options.pictures, seconds[actors])
            same &= _is_same(_described(sorted(out.glob("shard-*.parquet"))), service)
        busy = (machine.busy_seconds() - before) / (time.monotonic() - began)
    gain = seconds[1] / seconds[2]
    print(f"two actors are {gain:.2f} times as fast as one, goal {_GOAL}")
    print(f"the machine was busy on {busy:.2f} of {machine.cores()} cores")
    return 0 if gain >= _GOAL and same else 1


def _train(folder: Path, pictures: Path, options: argparse.Namespace) -> Descriptors:
    """Train the pictures in a server; return what it has stored."""
    with running(folder, images=pictures, models=options.models) as server:
        started = time.monotonic()
        job = server.client.train(str(pictures)).wait(timeout=_TRAIN_SECONDS)
        _print_rate("the service", job.indexed, time.monotonic() - started)
        data = server.data_dir
    exported = folder / "exported.parquet"
    command = (sys.executable, "-m", "bento_service.admin", "export", exported)
    _call(*command, LOOKALIKE_DATA_DIR=str(data))
    return _described([exported])


def _run(python: Path, pictures: Path, out: Path, model: Path, *, actors: int, shard: int) -> None:
    """Describe the pictures on a cluster of this machine."""
    command = (python.absolute(), "-m", "bento_service.bulk", pictures, out, "--model", model)
    numbers = {"--actors": actors, "--threads": 1, "--images-a-shard": shard}
    _call(*command, *(str(word) for option in numbers.items() for word in option))


def _call(*command: str | Path, **settings: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(_PROJECT), **settings}
    subprocess.run(command, cwd=_PROJECT, env=environment, check=True)


def _described(files: Sequence[Path]) -> Descriptors:
    """Return the descriptors in files of an export by the digest of their picture."""
    found: Descriptors = {}
    for file in files:
        table = pq.read_table(file, columns=["sha256", "descriptor"])
        matrix = np.asarray(table["descriptor"].combine_chunks().flatten(), np.float32)
        found |= zip(table["sha256"].to_pylist(), matrix.reshape(len(table), -1), strict=True)
    return found


def _is_same(run: Descriptors, service: Descriptors) -> bool:
    """Print how descriptors differ; return true if none does by more than the goal."""
    if run.keys() != service.keys():
        print(f"{len(run.keys() ^ service.keys())} pictures are in one of both only")
        return False
    lowest = min(_cosine(run[digest], service[digest]) for digest in run)
    equal = sum(np.array_equal(run[digest], service[digest]) for digest in run)
    print(f"{equal} of {len(run)} descriptors have equal bits, lowest cosine {lowest:.7f}")
    return abs(lowest - 1) <= _MOST_DIFFERENCE


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of two descriptors, whose stored values are rounded."""
    vectors = np.stack([one, other]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(vectors[0] @ vectors[1])


def _print_rate(name: str, pictures: int, seconds: float) -> None:
    print(f"{name}: {seconds:.1f} s, {pictures / seconds:.1f} pictures/s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
