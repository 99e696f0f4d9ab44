"""Catalogues of images that are grown from photographs, for measurements of duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert

from benchmarks.bare import MAX_PIXELS, Bare
from benchmarks.descriptors import blocks
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace
from bento_service.catalogue.tables import collections, descriptors, images, miniatures
from bento_service.catalogue.tables import sources as sources_table
from bento_service.descriptors.version import Thresholds
from bento_service.pictures.in_process import decode
from bento_service.pictures.miniature import prints_of
from bento_service.pictures.perceptual_hash import Hashes, stored

DIMENSION = 1024
SPACE = DescriptorSpace("vgg16-rmac4", "made-up", "f" * 64, DIMENSION, "fp32")
LINES = Thresholds(duplicate=0.95, near_duplicate=0.942)
_COPIED, _MIRRORED = 0.10, 0.02
_COPY_NOISE, _MIRROR_NOISE = 0.2, 0.4
"""The noise of copies, relative to their originals: scores of about 0.98 and 0.93."""
_SHARE = (0.5, 0.8)
"""The share of the first photograph in a grown miniature."""
_BLOCK = 1000
_MIRRORED_ORDER = [4, 5, 6, 7, 0, 1, 2, 3]  # the order of a mirrored picture's hashes


@dataclass(frozen=True)
class Made:
    """Images: (N, D) descriptors, hashes (8,) of each, and (N, 64, 64) miniatures."""

    vectors: NDArray[np.float32]
    hashes: Sequence[Hashes | None] | NDArray[np.uint64]
    miniatures: NDArray[np.uint8]


def described(files: Sequence[Path], models: Path) -> Made:
    """Return photographs as the service would store them."""
    bare = Bare.load(models)
    squares = [decode(file.read_bytes(), side=224, max_pixels=MAX_PIXELS).pixels for file in files]
    vectors = [bare.model.engine.outputs(one[np.newaxis], [SPACE.descriptor]) for one in squares]
    hashes, small = zip(*map(prints_of, squares), strict=True)
    rows = np.concatenate([one[SPACE.descriptor] for one in vectors])
    return Made(_unit(rows), list(hashes), np.stack(small))


def grown(photographs: Made, count: int, *, seed: int) -> Made:
    """Return images like photographs, of which a tenth are copies, and some mirrored copies.

    The scores find the copies, and the hashes find the mirrored ones. A grown miniature shows two
    photographs, one through the other, so that different images look like each other in parts.
    """
    random = np.random.default_rng(seed)
    vectors = np.concatenate(list(blocks(photographs.vectors, count, seed=seed)))
    hashes = random.integers(0, 2**64, (count, 8), dtype=np.uint64)
    small = _blended(photographs.miniatures, count, random)
    order = random.permutation(count)
    copied, mirrored = int(count * _COPIED), int(count * _MIRRORED)
    originals = order[random.integers(copied, count - mirrored, copied + mirrored)]
    copies = np.concatenate([order[:copied], order[count - mirrored :]])
    noise = np.repeat([_COPY_NOISE, _MIRROR_NOISE], [copied, mirrored])[:, None]
    shaken = random.standard_normal((len(copies), vectors.shape[1]), np.float32)
    vectors[copies] = _unit(vectors[originals] + noise / np.sqrt(vectors.shape[1]) * shaken)
    small[copies] = small[originals]
    small[copies[copied:]] = small[originals[copied:], :, ::-1]
    hashes[copies[copied:]] = hashes[originals[copied:]][:, _MIRRORED_ORDER]
    return Made(vectors, hashes, small)


def _blended(
    pictures: NDArray[np.uint8], count: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    blended = np.empty((count, *pictures.shape[1:]), np.uint8)
    for at in range(0, count, _BLOCK):
        size = min(_BLOCK, count - at)
        first, second = pictures[random.integers(len(pictures), size=(2, size))].astype(np.float32)
        second = np.roll(second, random.integers(pictures.shape[1], size=2), axis=(1, 2))
        share = random.uniform(*_SHARE, (size, 1, 1))
        blended[at : at + size] = share * first + (1 - share) * second
    return blended


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def fill(catalogue: Catalogue, made: Made) -> None:
    """Write the images as training jobs would, but in larger transactions."""
    record = catalogue.collections.create("pictures", SPACE)
    with catalogue.database.writing() as connection:
        connection.execute(collections.update().values(revision=1))
        for at in range(0, len(made.vectors), _BLOCK):
            places = range(at, min(at + _BLOCK, len(made.vectors)))
            connection.execute(insert(images), [_image(record, made, place) for place in places])
            described = [
                {
                    "image_id": place + 1,
                    "index_id": record.index.id,
                    "revision": 1,
                    "descriptor": made.vectors[place].tobytes(),
                }
                for place in places
            ]
            connection.execute(insert(descriptors), described)
            pixels = [
                {"image_id": place + 1, "pixels": made.miniatures[place].tobytes()}
                for place in places
            ]
            connection.execute(insert(miniatures), pixels)
            connection.execute(insert(sources_table), [*map(_source, places)])


def _image(record: CollectionRecord, made: Made, place: int) -> dict[str, object]:
    return {
        "id": place + 1,
        "collection_id": record.id,
        "sha256": _digest(place),
        "format": "JPEG",
        "width": 640,
        "height": 480,
        "bytes": 1,
        "metadata": {},
        "created_at": record.created_at,
        "hashes": stored(made.hashes[place]),
    }


def _source(place: int) -> dict[str, object]:
    return {
        "image_id": place + 1,
        "kind": "upload",
        "root": "",
        "path": f"{place + 1}.jpg",
        "sha256": _digest(place),
    }


def _digest(place: int) -> str:
    return f"{place + 1:064x}"
