"""Descriptors in Milvus: an index that can be thrown away and built again from the catalogue.

Milvus Lite lets one process open its file and loses acknowledged rows when two threads write at
once before a kill, so every write here goes through one lock. Unflushed rows make every search
slower (70 µs a row and search), so writers flush after a burst. Every call has a time limit, and a
search of a server a short one; see `connection`.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from grpc import RpcError
from numpy.typing import NDArray

from bento_service.errors import IndexUnavailable
from bento_service.gallery.connection import CALL_SECONDS as _TIME_LIMIT
from bento_service.gallery.connection import Away, Connection
from bento_service.gallery.gallery import Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS, IndexType
from bento_service.gallery.lite_folder import names_in, remove_index
from bento_service.gallery.milvus import DataType, MilvusClient, MilvusException
from bento_service.gallery.shared import SharedSearches

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_FIELD = "descriptor"
_ROWS_A_CALL = 1000


class MilvusGallery:
    """A `Gallery` in Milvus Lite or in a Milvus server. Close it with `with`.

    Every method raises `IndexUnavailable` where Milvus does not answer or refuses.
    """

    def __init__(self, uri: str, *, effort: int | None = None) -> None:
        """Prepare; the connection is made by the first call that needs it.

        Args:
            uri: `http://host:port` of a server, or the path of Milvus Lite's folder.
            effort: How much a search in an approximate index looks at; see `IndexType`.
        """
        # Every failure is raised as one of ours; pymilvus would print each with its stack too.
        # So would Lite's own server, for calls that it does not know and pymilvus does without.
        for name in ("pymilvus", "grpc._server"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._connection = Connection(uri)
        self._effort = effort
        self._writing = threading.Lock()
        self._changes = 0  # begun and ended; odd while one is under way
        self._doubted: set[str] = set()
        self._kinds: dict[str, IndexType] = {}  # an index with another one gets another name
        self._shared: SharedSearches[list[Neighbour]] = SharedSearches(_TIME_LIMIT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def _client(self) -> MilvusClient:
        return self._connection.client()

    @property
    def is_embedded(self) -> bool:
        """Whether it is Milvus Lite, which nobody else uses."""
        return self._connection.is_embedded

    @property
    def is_milvus_lite(self) -> bool:
        """Whether it is Milvus Lite, which keeps no checksums."""
        return self.is_embedded

    @property
    def uri(self) -> str:
        """What it is connected to."""
        return self._connection.uri

    @property
    def answers(self) -> bool:
        """Whether the last call was answered."""
        return self._connection.answers

    def doubted(self) -> set[str]:
        """Names of the indexes whose search failed since this was asked before."""
        found, self._doubted = self._doubted, set()
        return found

    def open(self, name: str, dimension: int) -> None:
        """Make an index ready for searches: created, repaired and loaded as needed.

        A kill while Milvus Lite writes an index file leaves it torn; the rows are whole, so the
        index is dropped and built again. Where the rows are torn too, as after a power cut, it
        begins empty: the caller compares it with the catalogue.

        Args:
            name: Of the index.
            dimension: D, components of a descriptor.
        """
        with self._writing, self._calling("open"):
            try:
                self._open(name, dimension)
            except (MilvusException, RpcError):
                if not self.is_embedded:  # a server that fails now may have whole rows
                    raise
                _log.warning("index %s is damaged; beginning it anew", name)
                self._drop_damaged(name)
                self._open(name, dimension)

    def _drop_damaged(self, name: str) -> None:
        with suppress(MilvusException, RpcError):
            self._client.drop_collection(name, timeout=_TIME_LIMIT)
        remove_index(Path(self.uri), name)

    def load(self, name: str) -> None:
        """Make an index ready as it is; unlike `open` this makes and mends nothing."""
        with self._calling("load"):
            self._client.load_collection(name, timeout=_TIME_LIMIT)

    def _open(self, name: str, dimension: int) -> None:
        if not self._has(name):
            self._create(name, dimension)
            self._index(name, IndexType.FLAT)
        elif not self.is_embedded and not self._client.list_indexes(name, timeout=_TIME_LIMIT):
            self._index(name, IndexType.FLAT)  # a crash came in between
        try:
            self._client.load_collection(name, timeout=_TIME_LIMIT)
        except (MilvusException, RpcError):
            if not self.is_embedded:  # it is starting, or its files are slow; the rows are there
                raise
            _log.warning("index %s does not load; building it again from its rows", name)
            self._rebuild(name)

    def _has(self, name: str) -> bool:
        client = self._client
        if self.is_embedded:  # Milvus Lite would also count what it has in memory alone
            return name in names_in(Path(self.uri))
        return bool(client.has_collection(name, timeout=_TIME_LIMIT))

    def _create(self, name: str, dimension: int) -> None:
        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field(_FIELD, DataType.FLOAT_VECTOR, dim=dimension)
        self._client.create_collection(name, schema=schema, timeout=_TIME_LIMIT)

    def _rebuild(self, name: str) -> None:
        kind = self._kind(name, _TIME_LIMIT)
        self._client.release_collection(name, timeout=_TIME_LIMIT)
        self._client.drop_index(name, _FIELD, timeout=_TIME_LIMIT)
        self._index(name, kind, sync=True)
        self._client.load_collection(name, timeout=_TIME_LIMIT)

    def _index(self, name: str, index_type: IndexType, *, sync: bool = False) -> None:
        wanted = self._client.prepare_index_params()
        # On unit vectors the inner product is the cosine, without normalising all of them again.
        params = index_type.build_params()
        wanted.add_index(
            _FIELD, str(index_type), index_name=_FIELD, metric_type="IP", params=params
        )
        self._client.create_index(name, wanted, timeout=_TIME_LIMIT, sync=sync)

    def kind(self, name: str) -> IndexType:
        """Of which kind an index is, as a server says; Milvus Lite here has one kind alone."""
        with self._calling("describe an index", hurried=True):  # searches ask for it
            return self._kind(name, self._connection.search_seconds)

    def _kind(self, name: str, seconds: float) -> IndexType:
        known = IndexType.FLAT if self.is_embedded else self._kinds.get(name)
        if known is None:
            made = self._client.list_indexes(name, timeout=seconds)
            if not made:  # half made; `open` makes the rest
                return IndexType.FLAT
            told = self._client.describe_index(name, made[0], timeout=seconds)
            known = IndexType(told["index_type"])
            self._kinds[name] = known
        return known

    def prepare(self, name: str, dimension: int) -> bool:
        """Make rows that can be written and not searched yet; see `Gallery`."""
        with self._writing, self._calling("prepare"):
            if self._has(name):
                return False
            self._create(name, dimension)
            return True

    def build(self, name: str, index_type: IndexType) -> bool:
        """Let a server build an index over what was written; see `Gallery`."""
        with self._writing, self._calling("build"):
            if not self._client.list_indexes(name, timeout=_TIME_LIMIT):
                self._index(name, index_type)
            state = self._client.describe_index(name, _FIELD, timeout=_TIME_LIMIT) or {}
        # `pending_index_rows` counts segments that were merged meanwhile, and may never end.
        if state.get("state") != "Finished" or state["indexed_rows"] < state["total_rows"]:
            return False
        with self._calling("load"):
            # Not waited for: a large one takes minutes, and the caller has more to do.
            self._client.load_collection(name, timeout=_TIME_LIMIT, _async=True)
            loaded = self._client.get_load_state(name, timeout=_TIME_LIMIT)
        return bool(loaded["state"].name == "Loaded")

    def upsert(
        self, name: str, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]
    ) -> None:
        """Put descriptors into an index; see `Gallery`."""
        rows = [
            {"id": image_id, _FIELD: descriptor}
            for image_id, descriptor in zip(image_ids, descriptors, strict=True)
        ]
        with self._changing("upsert"):
            for some in _slices(rows):
                self._client.upsert(name, some, timeout=_TIME_LIMIT)

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Take images out of an index; unknown ids are no error."""
        with self._changing("delete"):
            for some in _slices(image_ids):
                self._client.delete(name, ids=list(some), timeout=_TIME_LIMIT)

    def flush(self, name: str) -> None:
        """Move written rows from the log into a segment, so that searches stay fast."""
        with self._changing("flush"):
            self._client.flush(name, timeout=_TIME_LIMIT)

    def make_visible(self, name: str) -> None:
        """Wait until every search sees what was written before.

        A server shows a deletion a fifth of a second later, and listing asks for no freshness.
        """
        with self._calling("show what was written"):
            self._client.query(
                name,
                filter="id in [0]",
                output_fields=["id"],
                consistency_level="Strong",
                timeout=_TIME_LIMIT,
            )

    def search(
        self,
        name: str,
        query: NDArray[np.float32],
        *,
        top_k: int,
        condition: str = "",
        below: int | None = None,
    ) -> list[Neighbour]:
        """The nearest images of an index, best first; see `Gallery`."""
        if below is not None:
            condition = f"id < {below}"
        limit = min(top_k, MAX_NEIGHBOURS)
        size = _size_class(limit) if self.is_embedded else limit

        def ask(queries: Sequence[NDArray[np.float32]], seconds: float) -> list[list[Neighbour]]:
            return self._search(name, queries, size, condition, seconds)

        if not self.is_embedded:  # its searches run side by side
            return ask([query], self._connection.search_seconds)[0]
        kind = (name, size, condition, query.shape)
        return self._shared.search(kind, query, ask)[:limit]

    def search_each(
        self, name: str, queries: NDArray[np.float32], *, top_k: int
    ) -> list[list[Neighbour]]:
        """The nearest images of each of some queries; see `Gallery`."""
        seconds = _TIME_LIMIT if self.is_embedded else self._connection.search_seconds
        return self._search(name, list(queries), min(top_k, MAX_NEIGHBOURS), "", seconds)

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """Write into an index, alone."""
        with self._writing, self._calling(what):
            self._changes += 1
            try:
                yield
            finally:
                self._changes += 1

    def _unmoved(self, search: Callable[[], _T], seconds: float) -> _T:
        """What a search finds that no write came between.

        While Milvus Lite moves written rows into a segment, which any write may make it do, no
        search sees them. Who has searched meanwhile searches again while nothing is written.
        """
        changes = self._changes
        found = search()
        if not self.is_embedded or (changes % 2 == 0 and changes == self._changes):
            return found
        if not self._writing.acquire(timeout=seconds):
            raise IndexUnavailable("the index is being written; try again shortly")
        try:
            return search()
        finally:
            self._writing.release()

    def _search(
        self,
        name: str,
        queries: Sequence[NDArray[np.float32]],
        limit: int,
        condition: str,
        seconds: float,
    ) -> list[list[Neighbour]]:
        def search() -> list[list[dict[str, Any]]]:
            with self._searching(name):
                params = self._kind(name, seconds).search_params(limit, self._effort)
                found: list[list[dict[str, Any]]] = self._client.search(
                    name,
                    list(queries),
                    filter=condition,
                    limit=limit,
                    search_params={"metric_type": "IP", "params": params},
                    output_fields=["id"],  # Lite returns the vectors unless fields are named
                    # A server answers from an older state by default, and misses what this
                    # connection just wrote; this costs nothing unless it has just written.
                    consistency_level="Session",
                    timeout=seconds,
                )
                return found

        return [
            [Neighbour(int(hit["id"]), float(hit["distance"])) for hit in hits]
            for hits in self._unmoved(search, seconds)
        ]

    def ids(self, name: str) -> set[int]:
        """Every id that an index holds."""
        self.make_visible(name)
        with self._calling("list"):
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
        with self._calling("list"):
            try:
                return list(self._client.list_collections(timeout=_TIME_LIMIT))
            except (MilvusException, RpcError):
                if not self.is_embedded:
                    raise
                return names_in(Path(self.uri))

    def drop(self, name: str) -> None:
        """Remove an index with its files; an unknown one is no error."""
        self._kinds.pop(name, None)
        with self._writing, self._calling("drop"):
            self._client.drop_collection(name, timeout=_TIME_LIMIT)
            if self.is_embedded:  # it does not know one that has lost its schema
                remove_index(Path(self.uri), name)

    @contextmanager
    def _searching(self, name: str) -> Iterator[None]:
        """A search that waits for nobody, and after which replay looks at the index if it fails."""
        try:
            with self._calling("search", hurried=True):
                yield
        except IndexUnavailable:
            self._doubted.add(name)
            raise

    @contextmanager
    def _calling(self, what: str, *, hurried: bool = False) -> Iterator[None]:
        try:
            with self._connection.call(hurried=hurried):
                yield
        except (MilvusException, RpcError, OSError) as error:
            if not isinstance(error, Away):  # the failure before it is in the log
                _log.warning("Milvus failed to %s: %s", what, _in_short(error))
            raise IndexUnavailable(
                f"the index does not answer (it failed to {what}); nothing is lost, try again "
                "shortly"
            ) from error


def _in_short(error: Exception) -> str:
    if isinstance(error, RpcError) and hasattr(error, "details"):
        return f"{error.code().name}: {error.details()}"[:300]
    first_line, *_ = str(error).splitlines() or [""]
    return first_line[:300]


def _size_class(top_k: int) -> int:
    """So many neighbours are asked for, that searches for about as many can share a call."""
    # Each hit costs 20 to 50 µs in Lite, so few more than are needed.
    return (
        -(-top_k // 8) * 8 if top_k <= 128 else min(1 << (top_k - 1).bit_length(), MAX_NEIGHBOURS)
    )


def _pages(next_page: Callable[[], Any]) -> Iterator[Any]:
    while page := next_page():
        yield page


def _slices(rows: Sequence[Any]) -> Iterable[Any]:
    return (rows[at : at + _ROWS_A_CALL] for at in range(0, len(rows), _ROWS_A_CALL))
