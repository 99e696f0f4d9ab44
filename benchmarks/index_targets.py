"""Targets of the index benchmark, each measured in a process of its own.

Every target is filled, built and searched in the same way. Milvus is used through the service's
gallery, so its times include the cost of pymilvus and gRPC.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from pymilvus import MilvusClient

from benchmarks import machine
from bento_service.errors import IndexUnavailable
from bento_service.gallery.index_types import TIERS, IndexType
from bento_service.gallery.milvus_gallery import MilvusGallery

Matrix = NDArray[np.float32]
Search = Callable[[Matrix], "NDArray[np.int64]"]

NEAREST = 10
_ROWS_A_CALL = 1000
_FEWEST, _SECONDS = 30, 25.0
_BUILD_SECONDS = 3600.0
_MILVUS_EFFORTS: dict[IndexType, tuple[int | None, ...]] = {
    IndexType.HNSW: (128, 256, 512),
    IndexType.IVF_SQ8: (32, 64, 128),
    IndexType.FLAT: (None,),
}
_FAISS_HNSW_UP_TO = 100_000


@dataclass(frozen=True)
class Data:
    """The descriptors to search and the expected results.

    Attributes:
        base: (N, D) descriptors; their ids are their row numbers.
        queries: (Q, D) other descriptors.
        truth: (Q, `NEAREST`) ids of the nearest, best first.
        patience: The longest wait for other programs to become idle before searches are timed, in
            seconds.
    """

    base: Matrix
    queries: Matrix
    truth: "NDArray[np.int64]"
    patience: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the table. A megabyte is 2**20 bytes."""

    target: str
    rows: int
    insert_per_second: float
    build_seconds: float
    p50_ms: float
    p99_ms: float
    recall: float
    memory_mb: float
    disk_mb: float

    def record(self) -> dict[str, object]:
        """Return the line as a record for a file."""
        return asdict(self)


def measured(name: str, data: Data, folder: Path, milvus: str) -> Iterator[Row]:
    """Yield the rows of one target, one for each search effort that it supports.

    Args:
        name: One of `TARGETS`.
        data: The descriptors and the expected results.
        folder: The folder in which a target may write.
        milvus: The URL of a Milvus server, for targets that need one.
    """
    yield from TARGETS[name](data, folder, milvus)


def _numpy(data: Data, _: Path, __: str) -> Iterator[Row]:
    before = _memory()
    base = np.array(data.base)
    filled = _Filled(len(base), 0.0, 0.0, _memory() - before, 0.0)

    def search(query: Matrix) -> "NDArray[np.int64]":
        scores = base @ query
        best = np.argpartition(-scores, NEAREST)[:NEAREST]
        return best[np.argsort(-scores[best])]

    yield filled.row("numpy, exact", data, search)


def _faiss(data: Data, _: Path, __: str) -> Iterator[Row]:
    import faiss

    def searching(index: Any) -> Search:
        return lambda query: index.search(query[np.newaxis], NEAREST)[1][0]

    dimension = data.base.shape[1]
    kinds: list[tuple[str, Any]] = [("faiss, exact", faiss.IndexFlatIP(dimension))]
    if len(data.base) <= _FAISS_HNSW_UP_TO:
        hnsw = faiss.IndexHNSWFlat(dimension, 16, faiss.METRIC_INNER_PRODUCT)
        kinds.append(("faiss, HNSW", hnsw))
    for name, index in kinds:
        before, started = _memory(), time.perf_counter()
        if "HNSW" in name:
            index.hnsw.efConstruction = 200
            index.hnsw.efSearch = TIERS[0]
        for at in range(0, len(data.base), _ROWS_A_CALL):
            index.add(np.ascontiguousarray(data.base[at : at + _ROWS_A_CALL]))
        seconds = time.perf_counter() - started
        filled = _Filled(len(data.base), seconds, 0.0, _memory() - before, 0.0)
        yield filled.row(name, data, searching(index))


def _lite(data: Data, folder: Path, _: str) -> Iterator[Row]:
    before, place = _memory(), folder / "lite.db"
    with MilvusGallery(str(place)) as gallery:
        gallery.open("flat", data.base.shape[1])
        seconds = _upserted(gallery, "flat", data.base)
        search = _through(gallery, "flat", IndexType.FLAT, data.base)
        search(data.queries[0])
        filled = _Filled(len(data.base), seconds, 0.0, _memory() - before, _size(place))
        yield filled.row("Lite, FLAT", data, search)


def _lite_hnsw(data: Data, folder: Path, _: str) -> Iterator[Row]:
    """Yield rows measured without the gallery, which keeps faiss out of the process."""
    before, place = _memory(), folder / "lite-hnsw.db"
    client = MilvusClient(str(place))
    client.create_collection("hnsw", data.base.shape[1], metric_type="IP", index_params=None)
    client.release_collection("hnsw")
    client.drop_index("hnsw", "vector")
    started = time.perf_counter()
    for at in range(0, len(data.base), _ROWS_A_CALL):
        some = enumerate(data.base[at : at + _ROWS_A_CALL], start=at)
        client.upsert("hnsw", [{"id": number, "vector": vector} for number, vector in some])
    client.flush("hnsw")
    seconds, started = time.perf_counter() - started, time.perf_counter()
    params = client.prepare_index_params()
    how = {"M": 16, "efConstruction": 200}
    params.add_index("vector", index_type="HNSW", metric_type="IP", params=how)
    client.create_index("hnsw", params)
    client.load_collection("hnsw")
    built = time.perf_counter() - started

    def search(query: Matrix) -> "NDArray[np.int64]":
        with_ef = {"metric_type": "IP", "params": {"ef": TIERS[0]}}
        (hits,) = client.search(
            "hnsw", [query], limit=NEAREST, search_params=with_ef, output_fields=["id"]
        )
        return np.array([hit["id"] for hit in hits])

    filled = _Filled(len(data.base), seconds, built, _memory() - before, _size(place))
    yield filled.row("Lite, HNSW ef 128", data, search)


def _server(data: Data, _: Path, milvus: str) -> Iterator[Row]:
    name, client = f"benchmark_{len(data.base)}", MilvusClient(milvus)
    process = _listening_on(int(milvus.rpartition(":")[2]))
    empty = _memory(process) if process else 0.0
    disk = _disk(process)
    with MilvusGallery(milvus) as gallery:
        seconds = _upserted_once(gallery, client, name, data.base)
        for kind, efforts in _MILVUS_EFFORTS.items():
            _drop_other(client, name, kind)
            started = time.perf_counter()
            while not _is_built(gallery, name, kind):
                time.sleep(0.2)
                if time.perf_counter() - started > _BUILD_SECONDS:
                    raise TimeoutError(f"{kind} was not built within {_BUILD_SECONDS:g} s")
            built = time.perf_counter() - started
            held = _memory(process) - empty if process else 0.0
            filled = _Filled(len(data.base), seconds, built, held, _disk(process) - disk)
            for effort in efforts:
                with MilvusGallery(milvus, effort=effort) as asking:
                    shown = f"server, {kind}" + (f" {effort}" if effort else "")
                    yield filled.row(shown, data, _through(asking, name, kind, data.base))
    client.drop_collection(name)


def _is_built(gallery: MilvusGallery, name: str, kind: IndexType) -> bool:
    try:
        return gallery.build(name, kind)
    except IndexUnavailable:  # it is building, and too busy to answer
        return False


def _drop_other(client: MilvusClient, name: str, kind: IndexType) -> None:
    """Drop an index of another kind; an index of this kind from an earlier run is reused."""
    for made in client.list_indexes(name):
        if client.describe_index(name, made)["index_type"] != kind:
            client.release_collection(name)
            client.drop_index(name, made)


def _upserted_once(gallery: MilvusGallery, client: MilvusClient, name: str, base: Matrix) -> float:
    """Fill an index; return the seconds, 0 if an earlier run filled it."""
    if client.has_collection(name):
        if client.get_collection_stats(name)["row_count"] == len(base):
            return 0.0
        client.drop_collection(name)
    gallery.prepare(name, base.shape[1])
    return _upserted(gallery, name, base)


TARGETS: dict[str, Callable[[Data, Path, str], Iterator[Row]]] = {
    "numpy": _numpy,
    "faiss": _faiss,
    "lite": _lite,
    "lite-hnsw": _lite_hnsw,
    "server": _server,
}


@dataclass(frozen=True)
class _Filled:
    """The cost of a filled target."""

    rows: int
    insert_seconds: float
    build_seconds: float
    memory: float
    disk: float

    def row(self, target: str, data: Data, search: Search) -> Row:
        """Search, and return the line of the table."""
        if data.patience and not machine.await_quiet(data.patience):
            print(f"{target}: other programs were busy all the time", file=sys.stderr, flush=True)
        times, found = _timed(data.queries, search)
        shares = [
            len(set(ids.tolist()) & set(right.tolist())) / NEAREST
            for ids, right in zip(found, data.truth, strict=False)
        ]
        return Row(
            target=target,
            rows=self.rows,
            insert_per_second=self.rows / self.insert_seconds if self.insert_seconds else 0.0,
            build_seconds=self.build_seconds,
            p50_ms=float(np.percentile(times, 50)),
            p99_ms=float(np.percentile(times, 99)),
            recall=float(np.mean(shares)),
            memory_mb=self.memory / 2**20,
            disk_mb=self.disk / 2**20,
        )


def _timed(queries: Matrix, search: Search) -> "tuple[list[float], list[NDArray[np.int64]]]":
    """Return the milliseconds and the result of each search; slow targets get fewer queries."""
    for query in queries[:5]:
        search(query)
    times, found, began = [], [], time.perf_counter()
    for query in queries:
        started = time.perf_counter()
        found.append(search(query))
        times.append(1000 * (time.perf_counter() - started))
        if len(times) >= _FEWEST and time.perf_counter() - began > _SECONDS:
            break
    return times, found


def _through(gallery: MilvusGallery, name: str, kind: IndexType, base: Matrix) -> Search:
    """Return a search like the service's: more hits than shown, scores of full descriptors."""
    asked = NEAREST + 1 if kind.is_exact else TIERS[0]

    def search(query: Matrix) -> "NDArray[np.int64]":
        near = gallery.search(name, query, top_k=asked)
        found = np.array([one.image_id for one in near])
        if kind.has_exact_scores:
            return found[:NEAREST]
        return found[np.argsort(-(base[found] @ query), kind="stable")[:NEAREST]]

    return search


def _upserted(gallery: MilvusGallery, name: str, base: Matrix) -> float:
    started = time.perf_counter()
    for at in range(0, len(base), _ROWS_A_CALL):
        some = base[at : at + _ROWS_A_CALL]
        gallery.upsert(name, range(at, at + len(some)), list(np.asarray(some)))
        if gallery.is_embedded:  # as replay does
            gallery.flush(name)
    gallery.flush(name)
    return time.perf_counter() - started


def _listening_on(port: int) -> psutil.Process | None:
    """Return the server's process, if it runs on this machine."""
    for process in psutil.process_iter():
        try:
            if any(c.laddr.port == port for c in process.net_connections() if c.status == "LISTEN"):
                return process
        except psutil.Error:
            continue
    return None


def _disk(process: psutil.Process | None) -> float:
    """Return the bytes of the server's data, if they are in its working directory."""
    if process is None or not Path(process.cwd(), "configs", "milvus.yaml").exists():
        return 0.0
    return _size(Path(process.cwd()))


def _memory(process: psutil.Process | None = None) -> float:
    return float((process or psutil.Process()).memory_info().rss)


def _size(folder: Path) -> float:
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a merge removed it
            total += file.stat().st_size if file.is_file() else 0
    return float(total)
