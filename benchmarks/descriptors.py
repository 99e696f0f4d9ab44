"""As many descriptors as a measurement needs, that look like those of photographs.

Photographs are described with the service's own model; what is needed beyond them is grown from
them. A grown descriptor lies between a few real ones, near one of them, and is then shaken by noise
that has the covariance of the real ones. So it has their mean, their few strong directions
and their clusters, on which the recall of an index depends; independent noise has none of
that, and is the hardest thing that an index can meet.
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
"""Of the shares that parents have: the first has most of it."""
_NOISE = 0.35
"""Against the spread of the real descriptors."""
_BLOCK = 10_000


def described(photographs: Path, models: Path, name: str, *, kept: Path) -> Matrix:
    """Descriptors of up to `PHOTOGRAPHS` pictures, (N, D), of unit length.

    Args:
        photographs: A folder with pictures; every n-th of them is taken.
        models: The models folder of a BentoML home.
        name: Of the descriptor, such as `vgg16-rgem`.
        kept: Where they are kept for the next time.
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
    """Grow `count` descriptors, some at a time; the same ones for the same seed.

    Args:
        seeds: (N, D) real ones.
        count: How many.
        seed: Of the chance.
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
