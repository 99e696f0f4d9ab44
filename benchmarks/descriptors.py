"""Synthetic descriptors with the distribution of photographs, for benchmarks.

Photographs are described with the service's own model. Further descriptors are grown from these. A
grown descriptor lies between a few real ones, near one of them, plus noise with the covariance of
the real ones. So it has their mean, their few strong directions and their clusters, which decide
the recall of an index. Independent noise has none of these and is the hardest input for an index.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bare import Bare
from bento_service.errors import LookalikeError

Matrix = NDArray[np.float32]

PHOTOGRAPHS = 400
_PARENTS = 3
_LEANING = (6.0, 2.0, 1.0)
"""The Dirichlet parameters of the parents' shares; the first parent has the largest share."""
_NOISE = 0.35
"""The strength of the noise, relative to the spread of the real descriptors."""
_BLOCK = 10_000


def described(photographs: Path, models: Path, name: str, *, kept: Path) -> Matrix:
    """Return the descriptors of up to `PHOTOGRAPHS` pictures, (N, D), of unit length.

    Args:
        photographs: A folder with pictures; every n-th of them is used.
        models: The models folder of a BentoML home.
        name: The name of the descriptor, such as `vgg16-rgem`.
        kept: The file that caches them for the next run.
    """
    if kept.exists():
        return np.asarray(np.load(kept), np.float32)
    bare = Bare.load(models)
    found = [
        bare.model.engine.outputs(pixels, [name])[name]
        for pixels in islice(_decoded(bare, photographs), PHOTOGRAPHS)
    ]
    vectors = _unit(np.concatenate(found))
    np.save(kept, vectors)
    return vectors


def _decoded(bare: Bare, folder: Path) -> Iterator[NDArray[np.uint8]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    step = max(1, len(files) // (PHOTOGRAPHS + 50))
    for file in files[::step]:
        try:
            yield bare.decoded(file.read_bytes())[np.newaxis]
        except LookalikeError:
            continue


def blocks(seeds: Matrix, count: int, *, seed: int) -> Iterator[Matrix]:
    """Yield `count` grown descriptors in blocks; equal seeds give equal descriptors.

    Args:
        seeds: (N, D) real descriptors.
        count: The number of descriptors.
        seed: The seed of the random generator.
    """
    spread = np.linalg.svd(seeds - seeds.mean(axis=0), full_matrices=False)
    directions = (spread.S[:, np.newaxis] * spread.Vh / np.sqrt(len(seeds))).astype(np.float32)
    for first in range(0, count, _BLOCK):
        chance = np.random.default_rng((seed, first))
        size = min(_BLOCK, count - first)
        parents = chance.integers(len(seeds), size=(size, _PARENTS))
        shares = chance.dirichlet(_LEANING, size).astype(np.float32)
        between = np.einsum("np,npd->nd", shares, seeds[parents])
        shaking = chance.standard_normal((size, len(directions)), np.float32) @ directions
        yield _unit(between + _NOISE * shaking)


def _unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
