"""Descriptors in Milvus: an index that can be thrown away and built again from the catalogue.

Milvus Lite lets one process open its file and loses acknowledged rows when two threads write at
once before a kill, so every write here goes through one lock. Unflushed rows make every search
slower (70 µs a row and search), so writers flush after a burst.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from grpc import RpcError
from numpy.typing import NDArray

from bento_service.errors import IndexUnavailable
from bento_service.gallery.milvus import DataType, MilvusClient, MilvusException, load_lite

INDEX_TYPE = "FLAT"
"""Exact search: every descriptor is compared."""
MAX_NEIGHBOURS = 16_384
"""The most that a Milvus server returns for one query."""

_log = logging.getLogger(__name__)
_FIELD = "descriptor"
_TIME_LIMIT = 30.0
_CONNECT_SECONDS = 10.0
_RECONNECT_SECONDS = 1.0
_ROWS_A_CALL = 1000
# pymilvus asks an idle server every ten seconds whether it is there, which Lite takes for abuse.
_CONNECTION = {"grpc.keepalive_time_ms": 300_000, "grpc.keepalive_permit_without_calls": False}


@dataclass(frozen=True)
class Neighbour:
    """An image near to a query; `score` is the cosine of their descriptors."""

    image_id: int
    score: float


class Gallery:
    """A connection to Milvus Lite or to a Milvus server. Close it with `with`.

    Every method raises `IndexUnavailable` where Milvus does not answer or refuses.
    """

    def __init__(self, uri: str) -> None:
        """Prepare; the connection is made by the first call that needs it.

        Args:
            uri: `http://host:port` of a server, or the path of Milvus Lite's folder.
        """
        # Every failure is raised as one of ours; pymilvus would print each with its stack too.
        # So would Lite's own server, for calls that it does not know and pymilvus does without.
        for name in ("pymilvus", "grpc._server"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._uri = uri
        self._writing = threading.Lock()
        self._connecting = threading.Lock()
        self._connected: MilvusClient | None = None
        self._not_before = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connected is not None:
            self._connected.close()

    @property
    def _client(self) -> MilvusClient:
        with self._connecting:
            if self._connected is None:
                # A silent host takes long to give up; those who waited here need not try as well.
                if time.monotonic() < self._not_before:
                    raise ConnectionError("the last attempt to connect has just failed")
                try:
                    self._connected = self._connect()
                finally:
                    self._not_before = time.monotonic() + _RECONNECT_SECONDS
            return self._connected

    def _connect(self) -> MilvusClient:
        if self.is_embedded:
            Path(self._uri).parent.mkdir(parents=True, exist_ok=True)
            load_lite()
        return MilvusClient(self._uri, timeout=_CONNECT_SECONDS, grpc_options=_CONNECTION)

    @property
    def is_embedded(self) -> bool:
        """Whether it is Milvus Lite, which nobody else uses."""
        return "://" not in self._uri

    def open(self, name: str, dimension: int) -> None:
        """Make an index ready for searches: created, repaired and loaded as needed.

        A kill while Milvus Lite writes an index file leaves it torn; the rows are whole, so the
        index is dropped and built again. Where the rows are torn too, as after a power cut, it
        begins empty: the caller compares it with the catalogue.

        Args:
            name: Of the index.
            dimension: D, components of a descriptor.
        """
        with self._writing, _translated("open"):
            try:
                self._open(name, dimension)
            except (MilvusException, RpcError):
                if not self.is_embedded:  # a server that fails now may have whole rows
                    raise
                _log.warning("index %s is damaged; beginning it anew", name)
                self._drop(name)
                self._open(name, dimension)

    def load(self, name: str) -> None:
        """Make an index ready as it is; unlike `open` this makes and mends nothing."""
        with _translated("load"):
            self._client.load_collection(name, timeout=_TIME_LIMIT)

    def _open(self, name: str, dimension: int) -> None:
        if not self._client.has_collection(name, timeout=_TIME_LIMIT):
            self._create(name, dimension)
        try:
            self._client.load_collection(name, timeout=_TIME_LIMIT)
        except (MilvusException, RpcError):
            _log.warning("index %s does not load; building it again from its rows", name)
            self._rebuild(name)

    def _create(self, name: str, dimension: int) -> None:
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field(_FIELD, DataType.FLOAT_VECTOR, dim=dimension)
        self._client.create_collection(name, schema=schema, timeout=_TIME_LIMIT)
        # Waiting for the index would take half a second, and it is empty.
        self._client.create_index(name, self._index_params(), timeout=_TIME_LIMIT, sync=False)

    def _rebuild(self, name: str) -> None:
        self._client.release_collection(name, timeout=_TIME_LIMIT)
        self._client.drop_index(name, _FIELD, timeout=_TIME_LIMIT)
        self._client.create_index(name, self._index_params(), timeout=_TIME_LIMIT)
        self._client.load_collection(name, timeout=_TIME_LIMIT)

    def _index_params(self) -> Any:
        params = self._client.prepare_index_params()
        # On unit vectors the inner product is the cosine, without normalising all of them again.
        params.add_index(_FIELD, index_type=INDEX_TYPE, metric_type="IP")
        return params

    def upsert(
        self, name: str, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]
    ) -> None:
        """Put descriptors into an index; those with a known id are replaced.

        Args:
            name: Of the index.
            image_ids: N ids, none twice.
            descriptors: N vectors (D,) float32, of unit length.
        """
        rows = [
            {"id": image_id, _FIELD: descriptor}
            for image_id, descriptor in zip(image_ids, descriptors, strict=True)
        ]
        with self._writing, _translated("upsert"):
            for some in _slices(rows):
                self._client.upsert(name, some, timeout=_TIME_LIMIT)

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Take images out of an index; unknown ids are no error."""
        with self._writing, _translated("delete"):
            for some in _slices(image_ids):
                self._client.delete(name, ids=list(some), timeout=_TIME_LIMIT)

    def flush(self, name: str) -> None:
        """Move written rows from the log into a segment, so that searches stay fast."""
        with self._writing, _translated("flush"):
            self._client.flush(name, timeout=_TIME_LIMIT)

    def make_visible(self, name: str) -> None:
        """Wait until every search sees what was written before.

        A server shows a deletion a fifth of a second later, and listing asks for no freshness.
        """
        with _translated("show what was written"):
            self._client.query(
                name,
                filter="id in [0]",
                output_fields=["id"],
                consistency_level="Strong",
                timeout=_TIME_LIMIT,
            )

    def search(self, name: str, query: NDArray[np.float32], *, top_k: int) -> list[Neighbour]:
        """The nearest images of an index, best first.

        Args:
            name: Of the index.
            query: (D,) float32, of unit length.
            top_k: At most so many, `MAX_NEIGHBOURS` at the most.
        """
        with _translated("search"):
            (found,) = self._client.search(
                name,
                [query],
                limit=min(top_k, MAX_NEIGHBOURS),
                search_params={"metric_type": "IP"},
                output_fields=["id"],  # Lite returns the vectors unless fields are named
                # A server answers from an older state by default, and misses what this
                # connection just wrote; this costs nothing unless it has just written.
                consistency_level="Session",
                timeout=_TIME_LIMIT,
            )
        return [Neighbour(int(hit["id"]), float(hit["distance"])) for hit in found]

    def ids(self, name: str) -> set[int]:
        """Every id that an index holds."""
        self.make_visible(name)
        with _translated("list"):
            iterator = self._client.query_iterator(
                name,
                batch_size=_ROWS_A_CALL,
                filter="id >= 0",
                output_fields=["id"],
                timeout=_TIME_LIMIT,
            )
            try:
                return {int(row["id"]) for page in _pages(iterator.next) for row in page}
            finally:
                iterator.close()

    def names(self) -> list[str]:
        """Every index of this Milvus, other programs' too."""
        with _translated("list"):
            try:
                return list(self._client.list_collections(timeout=_TIME_LIMIT))
            except (MilvusException, RpcError):
                if not self.is_embedded:
                    raise
                # Lite opens each index to list it, so that one damaged index would hide them all.
                return sorted(folder.name for folder in self._lite_folders.iterdir())

    def drop(self, name: str) -> None:
        """Remove an index with its files; an unknown one is no error."""
        with self._writing, _translated("drop"):
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._client.drop_collection(name, timeout=_TIME_LIMIT)
        if self.is_embedded:
            # Lite does not know one that has lost its schema, and would never make it again.
            shutil.rmtree(self._lite_folders / name, ignore_errors=True)

    @property
    def _lite_folders(self) -> Path:
        return Path(self._uri) / "collections"


def _pages(next_page: Callable[[], Any]) -> Iterator[Any]:
    while page := next_page():
        yield page


def _slices(rows: Sequence[Any]) -> Iterable[Any]:
    return (rows[at : at + _ROWS_A_CALL] for at in range(0, len(rows), _ROWS_A_CALL))


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (MilvusException, RpcError, OSError) as error:
        first_line, *_ = str(error).splitlines() or [""]
        _log.warning("Milvus failed to %s: %s", what, first_line[:300])
        raise IndexUnavailable(
            f"the index does not answer (it failed to {what}); nothing is lost, try again shortly"
        ) from error
