"""How much of the bare engine's speed an ingest keeps, and whether its memory stays flat.

    python -m benchmarks.ingest FOLDER [--models FOLDER]

The bare engine describes pictures that are already decoded, in batches of the worker's size, on
all cores; it runs before and after the ingest of the same pictures by a real server, so that a
machine that changes its speed shows. Afterwards every picture searches for itself.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.server import resident_bytes, running
from bento_service.ingest.worker import BATCH
from bento_service.vision.decode import decode
from bento_service.vision.engine import Model
from client_sdk import Client

_BARE_SECONDS = 20
_SAMPLE_SECONDS = 1.0


def main() -> int:
    """Measure and print; the exit code is 1 where the ratio is below 90 %."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    model = Model.load(_model_folder(options.models), threads=_cores())
    pixels = _decoded(options.folder, model.version.preprocessing.size)
    before = _bare(model, pixels)
    with tempfile.TemporaryDirectory() as folder:
        ingest, memory, found = _ingest(Path(folder), options.folder, options.models)
    after = _bare(model, pixels)
    bare = (before + after) / 2
    print(machine.described())
    print(f"bare engine, batch {BATCH}: {before:.2f} and {after:.2f} images/s")
    print(f"ingest: {ingest:.2f} images/s, ratio {ingest / bare:.3f}")
    print(f"resident memory after a quarter and at the end: {memory}")
    print(found)
    return 0 if ingest >= 0.9 * bare else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _model_folder(models: Path) -> Path:
    tag = (Path(__file__).parents[1] / "bento_service" / "model_tag.txt").read_text().strip()
    return models.joinpath(*tag.split(":"))


def _decoded(folder: Path, side: int) -> NDArray[np.uint8]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())[:64]
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


def _ingest(folder: Path, images: Path, models: Path) -> tuple[float, str, str]:
    with running(folder, images=images, models=models) as (client, data_dir):
        samples: list[int] = []
        stopping = threading.Event()

        def sample() -> None:
            while not stopping.wait(_SAMPLE_SECONDS):
                samples.append(resident_bytes(data_dir))

        sampler = threading.Thread(target=sample)
        sampler.start()
        job = client.wait(client.train("."), timeout=3600, interval=1.0)
        stopping.set()
        sampler.join()
        quarter, last = samples[len(samples) // 4], samples[-1]
        memory = f"{quarter / 2**20:.0f} MiB and {last / 2**20:.0f} MiB"
        return job.images_per_second or 0.0, memory, _self_search(client)


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
