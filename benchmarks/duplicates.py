"""Benchmark of finding duplicates by search: time, memory, and the same groups as all pairs give.

    python -m benchmarks.duplicates PHOTOGRAPHS --models MODELS [--images 3000 10000]
        [--index memory | lite | URL] [--most 3000]

A catalogue is filled with images that are grown from photographs: most have no copy, a tenth are
copies, and some are mirrored copies, which the hashes find and the scores do not. Then another
process returns the groups page by page, as for a client. Its index is in memory, as that of
`Client.local`, in Milvus Lite, as that of a service, or in a Milvus server. NumPy compares every
pair of the smaller catalogues, with a graph of all pairs in memory. Finally another caller searches
while a page is computed.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.grown_images import LINES, SPACE, Made, described, fill, grown
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed
from bento_service.comparison.alignment import Pair, align
from bento_service.comparison.duplicate_groups import Duplicates, Group, GroupQuery
from bento_service.gallery.cached_lite import CachedLite
from bento_service.gallery.exact import ExactGallery
from bento_service.gallery.gallery import Gallery
from bento_service.gallery.index_types import IndexRule
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay
from bento_service.pictures.perceptual_hash import MAX_HASH_DISTANCE, closeness
from model_build.evaluation.folders import pictures_in

_PHOTOGRAPHS = 1000
_MOST_COMPARED = 20_000
"""Images up to which NumPy compares all pairs."""
_BLOCK = 1000
_PAUSE = 0.05
_ALONE_SECONDS = 5.0

Groups = set[frozenset[int]]


@dataclass(frozen=True)
class _Walk:
    """The groups of a catalogue, and what it took to find them.

    Attributes:
        index: The type of the index.
        groups: The ids of the images of each group.
        examined: The number of images that the pages went through.
        pages: The seconds of each page.
        seconds: The time of all pages.
        processor: The CPU seconds of the process.
        before: The peak memory of the process before the first page, in MiB.
        peak: The peak memory at the end, in MiB.
        alone: The milliseconds of another caller's searches, median and 95th percentile.
        during: The same while a page is computed.
    """

    index: str
    groups: list[list[int]]
    examined: int
    pages: list[float]
    seconds: float
    processor: float
    before: float
    peak: float
    alone: str
    during: str


def walked(
    duplicates: Duplicates, *, most: int | None = None
) -> tuple[list[Group], list[float], int]:
    """Return groups, the seconds of each page, and the number of images that were examined."""
    groups: list[Group] = []
    seconds: list[float] = []
    after: int | None = 0
    examined = 0
    while after is not None and (most is None or examined < most):
        started = time.perf_counter()
        page = duplicates.page(GroupQuery("pictures", after=after, limit=100))
        seconds.append(time.perf_counter() - started)
        groups += page.groups
        after, examined = page.after, examined + page.examined
    return groups, seconds, examined


def _pairs_of_all(made: Made) -> tuple[Groups, int]:
    """Compare every pair as a walk does; return the groups and the number of linked pairs."""
    pairs: set[tuple[int, int]] = set()
    own = np.asarray(made.hashes)
    for at in range(0, len(made.vectors), _BLOCK):
        close = made.vectors[at : at + _BLOCK] @ made.vectors.T >= LINES.near_duplicate
        for turned in range(8):
            mine = own[at : at + _BLOCK, turned][:, None]
            close |= np.bitwise_count(mine ^ own[:, 0]) <= MAX_HASH_DISTANCE
        first, second = np.nonzero(close)
        both = zip((first + at).tolist(), second.tolist(), strict=True)
        pairs.update((a, b) for a, b in both if a < b)
    linked = [pair for pair in pairs if _is_same(made, *pair)]
    return _components(len(made.vectors), linked), len(linked)


def _is_same(made: Made, a: int, b: int) -> bool:
    near = closeness(made.hashes[a], made.hashes[b])
    (aligned,) = align([Pair(made.miniatures[a], made.miniatures[b], near)])
    has_same_hash = near is not None and near.is_same and not aligned.contradicts_hash
    return has_same_hash or aligned.is_same


def _components(count: int, pairs: list[tuple[int, int]]) -> Groups:
    above = list(range(count))

    def root(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for a, b in pairs:
        above[root(a)] = root(b)
    groups: dict[int, set[int]] = {}
    for place in range(count):
        groups.setdefault(root(place), set()).add(place + 1)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


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


@contextmanager
def _opened(folder: Path, index: str) -> Iterator[tuple[Catalogue, Gallery]]:
    """Open a catalogue with its index, and wait until the index has all images."""
    with Catalogue.open(f"sqlite:///{folder}/catalogue.db") as catalogue:
        rows = catalogue.descriptors.of_index
        opened: Gallery = MilvusGallery(index) if "://" in index else ExactGallery(rows)
        if index == "lite":
            opened = CachedLite(str(folder / "milvus.db"), rows)
        with opened as gallery:
            rule = IndexRule("auto", embedded=gallery.is_embedded)
            swap = IndexSwap(catalogue, gallery, rule)
            with Replay(catalogue, gallery, on_purged=lambda _: None, swap=swap) as replay:
                while not (replay.was_ready and _is_settled(catalogue, rule, gallery)):
                    time.sleep(0.2)
                yield catalogue, gallery


def _is_settled(catalogue: Catalogue, rule: IndexRule, gallery: Gallery) -> bool:
    (index,) = catalogue.indexes.all()
    kind, count = gallery.kind(index.name), catalogue.images.count(index.collection_id)
    return index.applied == index.revision and rule.wanted(kind, count) is kind


def _walk(folder: Path, index: str, most: int | None) -> _Walk:
    with _opened(folder, index) as (catalogue, gallery):
        (record,) = catalogue.indexes.all()
        query = catalogue.images.descriptor(1, record.id)
        lines = {SPACE.fingerprint: LINES}
        duplicates = Duplicates(catalogue, gallery, computed=Computed((SPACE,)), lines=lines)
        with _searching(gallery, record.name, query) as alone:
            time.sleep(_ALONE_SECONDS)
        before, processor, clock = _peak(), time.process_time(), time.perf_counter()
        groups, pages, examined = walked(duplicates, most=most)
        seconds, processor = time.perf_counter() - clock, time.process_time() - processor
        peak = _peak()
        with _searching(gallery, record.name, query) as during:
            duplicates.page(GroupQuery("pictures", limit=100), seconds=_ALONE_SECONDS)
        ids = [[member.image.id for member in group.members] for group in groups]
        kind = str(gallery.kind(record.name))
        percentiles = _percentiles(alone), _percentiles(during)
        return _Walk(kind, ids, examined, pages, seconds, processor, before, peak, *percentiles)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure(photographs: Made, count: int, index: str, most: int | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = grown(photographs, count, seed=0)
        with Catalogue.open(f"sqlite:///{folder}/catalogue.db") as catalogue:
            fill(catalogue, made)
        expected = None
        if most is None and count <= _MOST_COMPARED:
            started = time.process_time()
            expected = _pairs_of_all(made)
            in_numpy = time.process_time() - started
        del made
        command = [sys.executable, "-m", "benchmarks.duplicates", "--walk", name, "--index", index]
        command += [] if most is None else ["--most", str(most)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        walk = _Walk(**json.loads(done.stdout))
    print(
        f"{count:,} images, {walk.index} in {index}: {len(walk.groups)} groups at "
        f"{walk.examined:,} of them"
    )
    if expected is not None:
        same = len(expected[0] & {frozenset(group) for group in walk.groups})
        print(
            f"all pairs: {len(expected[0])} groups of {expected[1]} linked pairs, {same} of them "
            f"found exactly; {in_numpy:.1f} s of processor time"
        )
    print(
        f"walk: {walk.seconds:.0f} s, {walk.processor:.0f} s of processor time, "
        f"{1000 * walk.processor / walk.examined:.2f} ms an image"
    )
    print(
        f"pages: {len(walk.pages)}, median {np.median(walk.pages):.2f} s, longest "
        f"{max(walk.pages):.2f} s; peak memory {walk.before:.0f} MiB before, {walk.peak:.0f} MiB"
    )
    print(f"another's search, ms: alone {walk.alone}, meanwhile {walk.during}", flush=True)


def _percentiles(seconds: list[float]) -> str:
    median, late = np.percentile(1000 * np.array(seconds), [50, 95])
    return f"p50 {median:.0f} p95 {late:.0f}"


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, nargs="*")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[3000, 10_000])
    parser.add_argument("--index", default="lite", help="memory, lite or the URL of a server")
    parser.add_argument("--most", type=int, help="images at which a walk ends")
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.walk:
        print(json.dumps(asdict(_walk(options.walk, options.index, options.most))))
        return
    print(machine.described())
    files = islice(pictures_in(options.photographs), _PHOTOGRAPHS)
    photographs = described([*files], options.models)
    for count in options.images:
        _measure(photographs, count, options.index, options.most)


if __name__ == "__main__":
    main()
