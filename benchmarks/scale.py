"""Benchmark of a large collection: catalogue in PostgreSQL, index in a Milvus server.

    python -m benchmarks.scale --catalogue postgresql+psycopg://... --milvus http://localhost:19530
        [--images 100000] [--index flat] [--milvus-folder FOLDER] [--work FOLDER]

A folder of shards is imported as after a bulk run, indexed by the service's replay, searched,
thinned out by a filter, and opened again as at a restart. The database has to be empty and of its
own: what is measured stays in it. Times are of the wall clock, so other programs matter; the CPU
seconds of this process and of the servers hardly depend on them.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from sqlalchemy import make_url, text

from benchmarks import machine
from benchmarks.descriptors import Matrix
from benchmarks.synthetic_shards import SPACE, write_shards
from bento_service.admin.importing import import_images
from bento_service.admin.recall import Measurement, recall
from bento_service.admin.selection import ImportOptions
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import Computed
from bento_service.errors import IndexUnavailable
from bento_service.filters.parser import parse
from bento_service.gallery.index_types import IndexRule
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay
from bento_service.search.query import Query
from bento_service.search.searcher import Searcher
from bento_service.settings import Settings

_COLLECTION = "scale"
_SEARCHES = 200
_POLL_SECONDS = 0.1
_LONGEST_SECONDS = 6 * 3600.0


def main() -> int:
    """Measure every step, and print each as soon as it is done."""
    options = _parsed()
    print(machine.described(), flush=True)
    folder = options.work / f"shards-{options.images}"
    if not (folder / "manifest.json").exists():
        write_shards(folder, options.images)
    settings = Settings(
        data_dir=options.work / "data",
        catalogue_url=options.catalogue,
        milvus_uri=options.milvus,
        index=options.index,
    )
    _measure(settings, folder, options)
    return 0


def _measure(settings: Settings, folder: Path, options: argparse.Namespace) -> None:
    take_in = ImportOptions(collection=_COLLECTION, without_bytes=True)
    timed = _Stopwatch((options.catalogue, options.milvus))
    with timed("import", options.images):
        import_images(settings, folder, take_in)
    with timed("import again", options.images):
        import_images(settings, folder, take_in)
    with _opened(settings) as (catalogue, gallery, replay):
        with timed("indexed", options.images):
            _wait(lambda: _is_indexed(catalogue, replay))
        with timed("first search"):
            _search_times(catalogue, gallery, 1)
        with timed("index type chosen"):
            _wait(lambda: _is_chosen(settings, catalogue, gallery))
        _print_searches(catalogue, gallery)
        collection = catalogue.collections.named(_COLLECTION)
        with timed("delete by filter, 1 %"):
            catalogue.filtered.delete(collection.id, parse("tag == 7"))
        with timed("deletion indexed"):
            replay.wake()
            _wait(lambda: _is_indexed(catalogue, replay))
    with timed("restart"), _opened(settings) as (catalogue, _, replay):
        _wait(lambda: _is_indexed(catalogue, replay))
    for line in recall(settings, Measurement(collection=_COLLECTION)).lines:
        print(line, flush=True)
    _print_sizes(settings, options)


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Catalogue, MilvusGallery, Replay]]:
    """Open the catalogue and the index as the service does."""
    rule = IndexRule(settings.index, embedded=False)
    with (
        Catalogue.open(settings.catalogue) as catalogue,
        MilvusGallery.from_settings(settings) as gallery,
        Replay(
            catalogue,
            gallery,
            on_purged=lambda _: None,
            swap=IndexSwap(catalogue, gallery, rule),
        ) as replay,
    ):
        yield catalogue, gallery, replay


def _is_indexed(catalogue: Catalogue, replay: Replay) -> bool:
    index = catalogue.collections.named(_COLLECTION).index
    return replay.is_open(index) and index.applied >= index.revision


def _is_chosen(settings: Settings, catalogue: Catalogue, gallery: MilvusGallery) -> bool:
    """Return true if the index has the type that its size asks for."""
    collection = catalogue.collections.named(_COLLECTION)
    rule = IndexRule(settings.index, embedded=False)
    present = gallery.kind(collection.index.name)
    return rule.wanted(present, catalogue.images.count(collection.id)) == present


def _search_times(catalogue: Catalogue, gallery: MilvusGallery, count: int) -> list[float]:
    """Search with stored descriptors and return the milliseconds of each search."""

    def search(query: Matrix) -> bool:
        return bool(searcher.by_descriptor(Query(_COLLECTION), query).hits)

    searcher = Searcher(catalogue, gallery, computed=Computed((SPACE,)))
    _, queries = catalogue.descriptors.sample(catalogue.collections.named(_COLLECTION).index, count)
    times = []
    for query in queries:
        started = time.perf_counter()
        _wait(partial(search, query))
        times.append(1000 * (time.perf_counter() - started))
    return times


def _print_searches(catalogue: Catalogue, gallery: MilvusGallery) -> None:
    times = _search_times(catalogue, gallery, _SEARCHES)
    p50, p99 = np.percentile(times, (50, 99))
    print(f"search     p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)


class _Stopwatch:
    """The times of steps, with the CPU seconds of this process and of the servers.

    Args:
        urls: The URLs of the servers, which run on this machine.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = urls

    @contextmanager
    def __call__(self, what: str, images: int | None = None) -> Iterator[None]:
        """Print the times of a block."""
        started, used, served = time.perf_counter(), machine.own_seconds(), self._served()
        yield
        seconds, used = time.perf_counter() - started, machine.own_seconds() - used
        served = self._served() - served
        rate = "" if images is None else f", {images / seconds:,.0f} images/s"
        print(
            f"{what:<22}{seconds:>9.1f} s{rate}; CPU: {used:.1f} s here, {served:.1f} s of the "
            f"servers; load {os.getloadavg()[0]:.0f}",
            flush=True,
        )

    def _served(self) -> float:
        """Return the CPU seconds of the servers with their children, ended ones included."""
        servers = [server for url in self._urls if (server := _listening(url)) is not None]
        seconds = sum(sum(server.cpu_times()[:4]) for server in servers)
        for child in (each for server in servers for each in server.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # it has ended, and its parent counts it
                seconds += sum(child.cpu_times()[:2])
        return seconds


def _wait(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        with suppress(IndexUnavailable):  # a server that builds may miss its time limits
            if is_done():
                return
        if time.monotonic() > deadline:
            raise TimeoutError("the index does not become ready")
        time.sleep(_POLL_SECONDS)


def _print_sizes(settings: Settings, options: argparse.Namespace) -> None:
    statement = text("SELECT pg_database_size(current_database())")
    with (
        Catalogue.open(settings.catalogue) as catalogue,
        catalogue.database.reading() as connection,
    ):
        size = connection.execute(statement).scalar_one()
    print(f"catalogue  {size / 2**20:,.0f} MiB, {size / options.images:,.0f} B an image")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"this process at its most {own:,.0f} MiB")
    if (server := _listening(settings.milvus)) is not None:
        print(f"milvus     {server.memory_info().rss / 2**20:,.0f} MiB of memory")
    if options.milvus_folder:
        used = sum(
            each.stat().st_size for each in options.milvus_folder.rglob("*") if each.is_file()
        )
        print(f"milvus     {used / 2**20:,.0f} MiB on the disk")


def _listening(url: str) -> psutil.Process | None:
    """Return the process of this machine that listens at the port of a URL."""
    port = make_url(url).port
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return psutil.Process(connection.pid)
    return None


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--catalogue", required=True, help="URL of an empty database")
    parser.add_argument("--milvus", required=True, help="URL of a Milvus server")
    parser.add_argument("--index", default="auto", help="LOOKALIKE_INDEX; auto builds HNSW")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--milvus-folder", type=Path, help="what the server writes, to measure it")
    parser.add_argument("--work", type=Path, default=Path("benchmark-scale"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
