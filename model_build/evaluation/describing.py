"""Describing many pictures by several descriptors, decoding each once, with a progress bar."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bento_service.errors import LookalikeError
from model_build.evaluation.describers import Describer
from model_build.evaluation.protocol import Picture

BATCH = 8
"""Number of pictures that a network describes at a time."""

_Pixels = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Described:
    """The descriptors of N pictures.

    Attributes:
        descriptors: Arrays (N, D) float32 by name; rows of unreadable pictures are zeros.
        unreadable: Reasons why pictures could not be described, by position.
    """

    descriptors: Mapping[str, NDArray[np.float32]]
    unreadable: Mapping[int, str]


def describe(pictures: Sequence[Picture], describers: Sequence[Describer]) -> Described:
    """Describe pictures in batches; each describer runs once a batch.

    If a file is unreadable, so is every later picture of it, such as the copies of an original.
    """
    rows: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    described: list[int] = []
    unreadable: dict[int, str] = {}
    for places, prepared in _batches(pictures, describers, unreadable):
        described += places
        for describer, pixels in zip(describers, prepared, strict=True):
            for name, vectors in describer.describe(pixels).items():
                rows[name].append(vectors)
    return Described(
        {name: _placed(len(pictures), described, parts) for name, parts in rows.items()},
        unreadable,
    )


def _batches(
    pictures: Sequence[Picture], describers: Sequence[Describer], unreadable: dict[int, str]
) -> Iterator[tuple[list[int], list[NDArray[np.uint8]]]]:
    """Yield positions of readable pictures and their pixels by describer; record the others."""
    places: list[int] = []
    waiting: list[_Pixels] = []
    broken: dict[Path, str] = {}
    for place, picture in enumerate(tqdm(pictures, "describing", unit=" pictures", disable=None)):
        try:
            if picture.path in broken:
                unreadable[place] = broken[picture.path]
                continue
            waiting.append(_prepared(picture, describers))
            places.append(place)
        except (LookalikeError, OSError) as error:
            unreadable[place] = broken[picture.path] = str(error)
        if len(places) == BATCH:
            yield places, [np.stack(pixels) for pixels in zip(*waiting, strict=True)]
            places, waiting = [], []
    if places:
        yield places, [np.stack(pixels) for pixels in zip(*waiting, strict=True)]


def _prepared(picture: Picture, describers: Sequence[Describer]) -> _Pixels:
    """Return a picture's pixels for each describer; describers with equal needs share an array."""
    content = picture.content()
    preparations = dict.fromkeys(describer.prepare for describer in describers)
    pixels = {prepare: prepare(content, picture.region) for prepare in preparations}
    return [pixels[describer.prepare] for describer in describers]


def _placed(
    number: int, places: Sequence[int], parts: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return rows at their pictures' positions, zeros elsewhere."""
    vectors = np.concatenate(parts)
    placed = np.zeros((number, vectors.shape[1]), np.float32)
    placed[list(places)] = vectors
    return placed
