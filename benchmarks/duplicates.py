"""Benchmark of finding duplicates by search against comparing all pairs: time, result, memory.

    python -m benchmarks.duplicates [--images 3000 20000] [--milvus http://localhost:19530]

A catalogue and an index are filled with descriptors distributed like those of photographs: most
have no copy, some have copies above the threshold, and some have only rotated or mirrored copies,
which the hashes find and the scores do not. Then both sides run in one process: NumPy compares
every pair with a graph of all pairs in memory, and the service returns its groups page by page, as
for a client. Finally another caller searches while a page is computed.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from sqlalchemy import insert

from benchmarks import machine
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.tables import collections, descriptors, images
from bento_service.catalogue.tables import sources as sources_table
from bento_service.comparison.duplicate_groups import Duplicates, Group, GroupQuery
from bento_service.descriptors.version import Thresholds
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay
from bento_service.pictures.perceptual_hash import MAX_HASH_DISTANCE, stored

_DIMENSION = 1024
_SPACE = DescriptorSpace("vgg16-rmac4", "made-up", "f" * 64, _DIMENSION, "fp32")
_LINES = Thresholds(duplicate=0.95, near_duplicate=0.942)
_COPIED, _TURNED = 0.10, 0.02
_BLOCK = 1000
_PAUSE = 0.05
_ALONE_SECONDS = 5.0
_TURNED_ORDER = [4, 5, 6, 7, 0, 1, 2, 3]  # the order of a mirrored picture's hashes

Groups = set[frozenset[int]]


@dataclass(frozen=True)
class _Made:
    """Synthetic images: (N, D) descriptors and (N, 8) hashes."""

    vectors: NDArray[np.float32]
    hashes: NDArray[np.uint64]


def _made(count: int, random: np.random.Generator) -> _Made:
    """Return images around a few hundred themes, like photographs.

    Unrelated images have scores up to 0.9.
    """
    themes = random.standard_normal((max(2, count // 50), _DIMENSION))
    chosen = themes[random.integers(0, len(themes), count)]
    vectors = chosen + random.uniform(0.5, 1.5, (count, 1)) * random.standard_normal(chosen.shape)
    hashes = random.integers(0, 2**64, (count, 8), dtype=np.uint64)
    order = random.permutation(count)
    copied, turned = int(count * _COPIED), int(count * _TURNED)
    for place in order[:copied]:
        original = order[random.integers(copied, count - turned)]
        vectors[place] = vectors[original] + 0.2 * np.linalg.norm(vectors[original]) / np.sqrt(
            _DIMENSION
        ) * random.standard_normal(_DIMENSION)
    for place in order[count - turned :]:
        original = order[random.integers(copied, count - turned)]
        vectors[place] = vectors[original] + 0.8 * np.linalg.norm(vectors[original]) / np.sqrt(
            _DIMENSION
        ) * random.standard_normal(_DIMENSION)
        hashes[place] = hashes[original][_TURNED_ORDER]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return _Made((vectors / lengths).astype(np.float32), hashes)


def _fill(catalogue: Catalogue, made: _Made) -> None:
    """Write the images as training jobs would, but in larger transactions."""
    record = catalogue.collections.create("pictures", _SPACE)
    moment = record.created_at
    with catalogue.database.writing() as connection:
        connection.execute(collections.update().values(revision=1))
        for at in range(0, len(made.vectors), _BLOCK):
            numbers = range(at + 1, at + 1 + len(made.vectors[at : at + _BLOCK]))
            rows = [
                {
                    "id": number,
                    "collection_id": record.id,
                    "sha256": f"{number:064x}",
                    "format": "JPEG",
                    "width": 640,
                    "height": 480,
                    "bytes": 1,
                    "metadata": {},
                    "created_at": moment,
                    "hashes": stored(made.hashes[number - 1]),
                }
                for number in numbers
            ]
            connection.execute(insert(images), rows)
            described = [
                {
                    "image_id": number,
                    "index_id": record.index.id,
                    "revision": 1,
                    "descriptor": made.vectors[number - 1].tobytes(),
                }
                for number in numbers
            ]
            connection.execute(insert(descriptors), described)
            found = [
                {
                    "image_id": number,
                    "kind": "upload",
                    "root": "",
                    "path": f"{number}.jpg",
                    "sha256": f"{number:064x}",
                }
                for number in numbers
            ]
            connection.execute(insert(sources_table), found)


def _all_with_all(made: _Made) -> tuple[Groups, int]:
    """Compare every pair by score and hashes; return the groups and the number of pairs."""
    pairs: list[tuple[int, int]] = []
    for at in range(0, len(made.vectors), _BLOCK):
        scores = made.vectors[at : at + _BLOCK] @ made.vectors.T
        close = scores >= _LINES.near_duplicate
        for turned in range(8):
            mine = made.hashes[at : at + _BLOCK, turned][:, None]
            close |= np.bitwise_count(mine ^ made.hashes[:, 0]) <= MAX_HASH_DISTANCE
        first, second = np.nonzero(close)
        pairs += [(a + at, b) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    above = list(range(len(made.vectors)))

    def root(one: int) -> int:
        while above[one] != one:
            above[one] = above[above[one]]
            one = above[one]
        return one

    joined = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
    for one, other in joined:
        above[root(one)] = root(other)
    groups: dict[int, set[int]] = {}
    for one in range(len(above)):
        groups.setdefault(root(one), set()).add(one + 1)
    return {frozenset(group) for group in groups.values() if len(group) > 1}, len(joined)


def _walked(duplicates: Duplicates) -> tuple[list[Group], list[float]]:
    """Return all groups, and the seconds of each page."""
    groups: list[Group] = []
    seconds: list[float] = []
    after: int | None = 0
    while after is not None:
        started = time.perf_counter()
        page = duplicates.page(GroupQuery("pictures", after=after, limit=100))
        seconds.append(time.perf_counter() - started)
        groups += page.groups
        after = page.after
    return groups, seconds


@contextmanager
def _searching(gallery: Gallery, name: str, query: NDArray[np.float32]) -> Iterator[list[float]]:
    """Run a caller that searches twenty times a second; yield the list of its seconds."""
    took: list[float] = []
    ended = threading.Event()

    def search() -> None:
        while not ended.wait(_PAUSE):
            started = time.perf_counter()
            gallery.search(name, query, top_k=10)
            took.append(time.perf_counter() - started)

    caller = threading.Thread(target=search)
    caller.start()
    try:
        yield took
    finally:
        ended.set()
        caller.join()


def _measure(count: int, folder: Path, milvus: str | None) -> None:
    made = _made(count, np.random.default_rng(0))
    uri = milvus or str(folder / "milvus.db")
    with (
        Catalogue.open(f"sqlite:///{folder}/catalogue.db") as catalogue,
        MilvusGallery(uri) as gallery,
    ):
        _fill(catalogue, made)
        rule = IndexRule("auto", embedded=gallery.is_embedded)
        swap = IndexSwap(catalogue, gallery, rule)
        with Replay(catalogue, gallery, on_purged=lambda _: None, swap=swap) as replay:
            while not (replay.was_ready and _is_settled(catalogue, rule, gallery, count)):
                time.sleep(0.2)
            _compare_both(made, catalogue, gallery)


def _is_settled(catalogue: Catalogue, rule: IndexRule, gallery: Gallery, count: int) -> bool:
    (index,) = catalogue.indexes.all()
    kind = gallery.kind(index.name)
    return index.applied == index.revision and rule.wanted(kind, count) is kind


def _compare_both(made: _Made, catalogue: Catalogue, gallery: Gallery) -> None:
    (index,) = catalogue.indexes.all()
    with _timed() as by_numpy:
        expected, pairs = _all_with_all(made)
    lines = {_SPACE.fingerprint: _LINES}
    duplicates = Duplicates(catalogue, gallery, computed=Computed((_SPACE,)), lines=lines)
    with _searching(gallery, index.name, made.vectors[0]) as alone:
        time.sleep(_ALONE_SECONDS)
    before = psutil.Process().memory_info().rss
    with _timed() as by_walk:
        groups, pages = _walked(duplicates)
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    with _searching(gallery, index.name, made.vectors[0]) as beside:
        duplicates.page(GroupQuery("pictures", limit=100), seconds=_ALONE_SECONDS)
    told = {frozenset(member.image.id for member in group.members) for group in groups}
    right = sum(map(len, told & expected)) / max(1, sum(map(len, expected)))
    count = len(made.vectors)
    for line in (
        f"{count:,} images, {gallery.kind(index.name)} in {_shown(gallery)}",
        (
            f"groups: {len(expected)}, of {pairs} pairs; told exactly so: {len(told & expected)}, "
            f"otherwise: {len(told - expected)}; images in their whole group: {right:.4f}"
        ),
        f"all with all: {by_numpy}; walk: {by_walk}",
        (
            f"ratio: {by_walk.clock / by_numpy.clock:.1f} by the clock, "
            f"{by_walk.processor / by_numpy.processor:.1f} of processor time"
        ),
        f"an image: {1000 * by_walk.processor / count:.2f} ms of processor time",
        (
            f"pages: {len(pages)}, median {np.median(pages):.2f} s, longest {max(pages):.2f} s; "
            f"memory grew by {grown:.0f} MiB"
        ),
        f"another's search, ms: alone {_percentiles(alone)}, meanwhile {_percentiles(beside)}",
    ):
        print(line, flush=True)


@dataclass
class _Seconds:
    """The duration of a block, and the processor time of this process with Milvus Lite."""

    clock: float = 0.0
    processor: float = 0.0

    def __str__(self) -> str:
        return f"{self.clock:.1f} s ({self.processor:.1f} s of processor time)"


@contextmanager
def _timed() -> Iterator[_Seconds]:
    taken = _Seconds()
    clock, processor = time.perf_counter(), time.process_time()
    yield taken
    taken.clock = time.perf_counter() - clock
    taken.processor = time.process_time() - processor


def _shown(gallery: Gallery) -> str:
    return "Milvus Lite" if gallery.is_embedded else "a Milvus server"


def _percentiles(seconds: list[float]) -> str:
    median, late = np.percentile(1000 * np.array(seconds), [50, 95])
    return f"p50 {median:.0f} p95 {late:.0f}"


def main() -> None:
    """Run both sides for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[3000, 20_000])
    parser.add_argument("--milvus", help="URL of a server; Milvus Lite unless it is given")
    options = parser.parse_args()
    print(machine.described())
    for count in options.images:
        with tempfile.TemporaryDirectory() as folder:
            _measure(count, Path(folder), options.milvus)


if __name__ == "__main__":
    main()
