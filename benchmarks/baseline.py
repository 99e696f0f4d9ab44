"""Benchmark of ingest against what a user would run instead.

    python3.11 -m venv .cache/baseline
    .cache/baseline/bin/pip install --require-hashes -r requirements/baseline.txt
    python -m benchmarks.baseline FOLDER --baseline-python .cache/baseline/bin/python

The replaced system described one picture at a time with Keras' VGG16 in TensorFlow. Here it uses
the weights of our model and only describes. The others are PyTorch's VGG16 in batches of 32 and
imagededup's CNN encoding; see `benchmarks.alternatives`. A real server ingests the same pictures,
made from the photographs of FOLDER, in parts: it decodes, describes, commits and makes them
searchable. All sides take turns, so that a change of the machine's speed affects each. Then the
stored descriptors are compared with those of Keras. With the same resampling they must be equal;
otherwise the comparison is not fair and the exit code is 1.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine, photos
from benchmarks.bare import Cost
from benchmarks.keras_vgg16 import keras_arrays
from benchmarks.models import model_folder
from benchmarks.server import Server, running
from bento_service.catalogue import Catalogue
from bento_service.descriptors.model import WEIGHTS_FILE
from client_sdk.schemas import DEFAULT_COLLECTION
from model_build.weight_files import read_weights

_PROJECT = Path(__file__).parents[1]
_SAME = 0.999
_OTHERS = ("torch", "imagededup", "imagededup-vgg16")
_SIZES = {"500x375": photos.SMALL, "4000x3000": photos.LARGE}


@dataclass(frozen=True)
class Keras:
    """The result of the replaced system for some files.

    Attributes:
        cost: The cost of a picture without loading TensorFlow and building the network.
        descriptors: (N, 512) float32 by the resampling of `load_img`: `nearest`, its default, which
            the replaced system used, and `bilinear`.
        peak_bytes: The peak memory in bytes.
    """

    cost: Cost
    descriptors: dict[str, NDArray[np.float32]]
    peak_bytes: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baseline", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--baseline-python", type=Path, default=Path(sys.executable))
    parser.add_argument(
        "--others-python",
        type=Path,
        default=Path(sys.executable),
        help="a Python with PyTorch, torchvision and imagededup; this one by default",
    )
    parser.add_argument("--others", nargs="*", default=["torch"], choices=_OTHERS)
    parser.add_argument("--sizes", nargs="+", choices=_SIZES, default=list(_SIZES))
    parser.add_argument("--pictures", type=int, default=60, help="of each size (60)")
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--models", type=Path, default=Path("data/bentoml/models"))
    options = parser.parse_args()
    print(machine.described(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.npz"
        network = model_folder(options.models) / WEIGHTS_FILE
        np.savez(weights, **keras_arrays(read_weights(network, source=network.name).arrays()))
        for kind in options.sizes:
            made, size = folder / "photographs" / kind, _SIZES[kind]
            photos.make(
                options.folder, made, size=size, count=options.pictures, parts=options.parts
            )
        settings = {"LOOKALIKE_DESCRIPTOR": "vgg16-mac"}
        images = folder / "photographs"
        with running(folder, images=images, models=options.models, **settings) as server:
            lowest = min(_of_set(server, images / kind, weights, options) for kind in options.sizes)
    return 0 if lowest > _SAME else 1


def _of_set(server: Server, place: Path, weights: Path, options: argparse.Namespace) -> float:
    """Measure all sides in turn; return the mean cosine between our descriptors and Keras'."""
    print(f"\n{place.name}: pictures a second (CPU milliseconds a picture)")
    costs: dict[str, list[Cost]] = defaultdict(list)
    peaks: list[int] = []
    cosines: dict[str, list[float]] = defaultdict(list)
    for part in sorted(place.iterdir()):
        files = sorted(part.iterdir())
        keras = _through_keras(options.baseline_python, weights, files)
        costs["Keras"].append(keras.cost)
        for kind in options.others:
            costs[kind].append(_by_other(options.others_python, kind, part))
        costs["service"].append(_ingested(server, part))
        print(", ".join(f"{name} {_printed(each[-1])}" for name, each in costs.items()), flush=True)
        peaks.append(keras.peak_bytes)
        stored = _stored(server, [f"{place.name}/{part.name}/{file.name}" for file in files])
        for how, descriptors in keras.descriptors.items():
            cosines[how].extend((stored * descriptors).sum(axis=1))
    service = costs.pop("service")
    for name, each in costs.items():
        pairs = list(zip(each, service, strict=True))
        times = statistics.median(theirs.seconds / ours.seconds for theirs, ours in pairs)
        by_cpu = statistics.median(theirs.cpu_seconds / ours.cpu_seconds for theirs, ours in pairs)
        print(f"the service / {name}, medians of the parts: {times:.2f}, by CPU {by_cpu:.2f}")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} threads on {machine.cores()} cores")
    print(f"MiB: Keras {max(peaks) >> 20}, our service {server.memory_bytes() >> 20} (PSS)")
    for how, values in cosines.items():
        print(f"cosine to Keras, {how}: mean {np.mean(values):.6f}, lowest {min(values):.6f}")
    return float(np.mean(cosines["bilinear"]))


def _printed(cost: Cost) -> str:
    return f"{1 / cost.seconds:.2f} ({1000 * cost.cpu_seconds:.0f})"


def _ingested(server: Server, folder: Path) -> Cost:
    used = sum(process.cpu_seconds for process in server.processes())
    job = server.client.train(str(folder)).wait(timeout=7200, interval=0.2)
    used = sum(process.cpu_seconds for process in server.processes()) - used
    return Cost(1 / (job.images_per_second or math.nan), used / job.indexed)


def _by_other(python: Path, kind: str, folder: Path) -> Cost:
    """Return the cost of a picture by one of `benchmarks.alternatives`."""
    command = [str(python), "-m", "benchmarks.alternatives", kind, str(folder)]
    ran = subprocess.run(command, cwd=_PROJECT, stdout=subprocess.PIPE, check=True)
    seconds, cpu_seconds = map(float, ran.stdout.split()[-2:])
    count = len(list(folder.iterdir()))
    return Cost(seconds / count, cpu_seconds / count)


def _through_keras(python: Path, weights: Path, files: Sequence[Path]) -> Keras:
    result = weights.with_name("result.npz")
    module = ("-m", "benchmarks.keras_vgg16")
    command = [str(python), *module, str(weights), str(result), *map(str, files)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, cwd=_PROJECT, env=quiet, check=True)
    with np.load(result) as arrays:
        return Keras(
            cost=Cost(
                float(arrays["seconds"]) / len(files), float(arrays["cpu_seconds"]) / len(files)
            ),
            descriptors={how: arrays[how] for how in ("nearest", "bilinear")},
            peak_bytes=int(arrays["peak_bytes"]),
        )


def _stored(server: Server, paths: Sequence[str]) -> NDArray[np.float32]:
    """Return the stored descriptors (N, D) of files below the service's image root."""
    with Catalogue.open(f"sqlite:///{server.data_dir / 'catalogue.db'}") as catalogue:
        collection = catalogue.collections.named(DEFAULT_COLLECTION)
        ids = {
            source.path: image.id
            for image in catalogue.images.page(collection.id, limit=10**6)
            for source in image.sources
        }
        index_id = collection.index.id
        return np.stack([catalogue.images.descriptor(ids[path], index_id) for path in paths])


if __name__ == "__main__":
    sys.exit(main())
