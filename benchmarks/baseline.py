"""Benchmark of ingest against the system that was replaced.

    python3.11 -m venv .cache/baseline
    .cache/baseline/bin/pip install --require-hashes -r requirements/baseline.txt
    python -m benchmarks.baseline FOLDER --baseline-python .cache/baseline/bin/python

That system described one picture at a time with Keras' VGG16 in TensorFlow. Here it uses the
weights of our model and only describes. A real server ingests the same pictures, made from the
photographs of FOLDER, in parts: it decodes, describes, commits and makes them searchable. The two
sides take turns, so that a change of the machine's speed affects both. Then the stored descriptors
are compared with those of Keras. With the same resampling they must be equal; otherwise the
comparison is not fair and the exit code is 1.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine, photos
from benchmarks.keras_vgg16 import keras_arrays
from benchmarks.models import model_folder
from benchmarks.server import Server, running
from bento_service.catalogue import Catalogue
from bento_service.descriptors.model import WEIGHTS_FILE
from client_sdk.schemas import DEFAULT_COLLECTION
from model_build.weight_files import read_weights

_PROJECT = Path(__file__).parents[1]
_SAME = 0.999
_SIZES = {"500x375": photos.SMALL, "4000x3000": photos.LARGE}


@dataclass(frozen=True)
class Keras:
    """The result of the replaced system for some files.

    Attributes:
        images_per_second: The speed without loading TensorFlow and building the network.
        descriptors: (N, 512) float32 by the resampling of `load_img`: `nearest`, its default, which
            the replaced system used, and `bilinear`.
        peak_bytes: The peak memory in bytes.
    """

    images_per_second: float
    descriptors: dict[str, NDArray[np.float32]]
    peak_bytes: int


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baseline", description=__doc__)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--baseline-python", type=Path, default=Path(sys.executable))
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
        for kind, size in _SIZES.items():
            made = folder / "photographs" / kind
            photos.make(
                options.folder, made, size=size, count=options.pictures, parts=options.parts
            )
        settings = {"LOOKALIKE_DESCRIPTOR": "vgg16-mac"}
        images = folder / "photographs"
        with running(folder, images=images, models=options.models, **settings) as server:
            lowest = min(
                _of_set(server, images / kind, options.baseline_python, weights) for kind in _SIZES
            )
    return 0 if lowest > _SAME else 1


def _of_set(server: Server, place: Path, python: Path, weights: Path) -> float:
    """Measure both sides in turn; return the mean cosine between their descriptors."""
    print(f"\n{place.name}\n{'Keras/s':>12}{'ingest/s':>12}{'times':>12}")
    times: list[float] = []
    peaks: list[int] = []
    cosines: dict[str, list[float]] = {}
    for part in sorted(place.iterdir()):
        files = sorted(part.iterdir())
        keras = _through_keras(python, weights, files)
        job = server.client.train(str(part)).wait(timeout=7200, interval=0.2)
        speed = job.images_per_second or 0.0
        times.append(speed / keras.images_per_second)
        peaks.append(keras.peak_bytes)
        print(f"{keras.images_per_second:>12.2f}{speed:>12.2f}{times[-1]:>12.2f}", flush=True)
        stored = _stored(server, [f"{place.name}/{part.name}/{file.name}" for file in files])
        for how, descriptors in keras.descriptors.items():
            cosines.setdefault(how, []).extend((stored * descriptors).sum(axis=1))
    print(f"our ingest is {statistics.median(times):.2f} times as fast (median of the parts)")
    print(f"MiB: Keras {max(peaks) >> 20}, our service {server.resident_bytes() >> 20}")
    for how, values in cosines.items():
        print(f"cosine to Keras, {how}: mean {np.mean(values):.6f}, lowest {min(values):.6f}")
    return float(np.mean(cosines["bilinear"]))


def _through_keras(python: Path, weights: Path, files: Sequence[Path]) -> Keras:
    result = weights.with_name("result.npz")
    module = ("-m", "benchmarks.keras_vgg16")
    command = [str(python), *module, str(weights), str(result), *map(str, files)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, cwd=_PROJECT, env=quiet, check=True)
    with np.load(result) as arrays:
        return Keras(
            images_per_second=len(files) / float(arrays["seconds"]),
            descriptors={how: arrays[how] for how in ("nearest", "bilinear")},
            peak_bytes=int(arrays["peak_bytes"]),
        )


def _stored(server: Server, paths: Sequence[str]) -> NDArray[np.float32]:
    """Return the stored descriptors (N, D) of files below the service's image root."""
    with Catalogue.open(f"sqlite:///{server.data_dir / 'catalogue.db'}") as catalogue:
        collection = catalogue.collections.named(DEFAULT_COLLECTION)
        ids = {
            source.path: image.id
            for image in catalogue.images.page(collection.id, after=0, limit=10**6)
            for source in image.sources
        }
        index_id = collection.index.id
        return np.stack([catalogue.images.descriptor(ids[path], index_id) for path in paths])


if __name__ == "__main__":
    sys.exit(main())
