"""How much of the bare engine's speed an ingest keeps, and whether its memory stays flat.

    python -m benchmarks.ingest FOLDER [--models FOLDER]

The bare engine describes pictures that are already decoded, in batches of the worker's size, on
all cores. A real server ingests the pictures of the folder in parts, and before and after each
part the bare engine runs, so that a machine that changes its speed changes both. Afterwards every
picture searches for itself.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.server import resident_bytes, running
from bento_service.ingest.worker import BATCH
from bento_service.settings import Settings
from bento_service.vision.choice import choose
from bento_service.vision.decode import decode
from bento_service.vision.engine import Model
from bento_service.vision.hardware import Hardware
from client_sdk import Client

_BARE_SECONDS = 10
_PARTS = 6
_GOAL = 0.9


def main() -> int:
    """Measure and print; the exit code is 1 where the median ratio is below the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    choice = choose(Settings.from_environment(), Hardware.detect())
    model = Model.load(_model_folder(options.models), choice, threads=_cores())
    files = sorted(path for path in options.folder.rglob("*") if path.is_file())
    pixels = _decoded(files[:64], model.version.preprocessing.size)
    ingest: list[float] = []
    bare = [_bare(model, pixels)]
    memory: list[int] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), images=options.folder, models=options.models) as (client, data_dir),
    ):
        for part in range(_PARTS):
            job = client.wait(client.upload(files[part::_PARTS]), timeout=3600, interval=1.0)
            ingest.append(job.images_per_second or 0.0)
            bare.append(_bare(model, pixels))
            memory.append(resident_bytes(data_dir) >> 20)
        found = _self_search(client)
    ratios = [
        speed / statistics.mean(beside)
        for speed, beside in zip(ingest, pairwise(bare), strict=True)
    ]
    print(machine.described())
    print(f"bare engine, batch {BATCH}, images/s:", *(f"{speed:.2f}" for speed in bare))
    print("ingest, images/s:", *(f"{speed:.2f}" for speed in ingest))
    print("ratios:", *(f"{ratio:.3f}" for ratio in ratios))
    print(f"median ratio: {statistics.median(ratios):.3f}")
    print("resident memory after each part, MiB:", *memory)
    print(found)
    return 0 if statistics.median(ratios) >= _GOAL else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _model_folder(models: Path) -> Path:
    tag = (Path(__file__).parents[1] / "bento_service" / "model_tag.txt").read_text().strip()
    return models.joinpath(*tag.split(":"))


def _decoded(files: list[Path], side: int) -> NDArray[np.uint8]:
    return np.stack([decode(p.read_bytes(), side=side, max_pixels=10**8).pixels for p in files])


def _bare(model: Model, pixels: NDArray[np.uint8]) -> float:
    """Images a second of the engine alone."""
    model.engine.describe(pixels[:BATCH])
    described, at, started = 0, 0, time.perf_counter()
    while time.perf_counter() - started < _BARE_SECONDS:
        model.engine.describe(pixels[at : at + BATCH])
        described += len(pixels[at : at + BATCH])
        at = (at + BATCH) % len(pixels)
    return described / (time.perf_counter() - started)


def _self_search(client: Client) -> str:
    """Whether every image finds itself first."""
    first, lowest, count = 0, 1.0, client.count()
    for image in client.images(page_size=1000):
        best = client.search_by_id(image.id, top_k=1).hits[0]
        first += best.image_id == image.id
        lowest = min(lowest, best.score)
    deleted = client.delete_all(collection="default")
    return (
        f"{count} images; {first} find themselves first, lowest score {lowest:.6f}; "
        f"deleted {deleted}, count then {client.count()}"
    )


if __name__ == "__main__":
    sys.exit(main())
