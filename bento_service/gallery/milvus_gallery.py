"""Descriptors in Milvus: an index that can be rebuilt from the catalogue at any time.

Milvus Lite lets one process open its files, and loses acknowledged rows if two threads write at
once before a kill, so every write here takes one lock. Unflushed rows slow down every search (70 µs
a row and search), so writers flush after a burst. Every call has a time limit, and a search of a
server a short one; see `connection`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import numpy as np

from bento_service.errors import IndexUnanswered, IndexUnavailable
from bento_service.gallery.connection import CALL_SECONDS as _TIME_LIMIT
from bento_service.gallery.connection import CONNECT_SECONDS, Connection
from bento_service.gallery.gallery import Among, Below, Gallery, Neighbour, Vector, Vectors
from bento_service.gallery.index_types import MAX_NEIGHBOURS
from bento_service.gallery.milvus_indexes import DESCRIPTOR_FIELD, MilvusIndexes
from bento_service.settings import Settings

_T = TypeVar("_T")
_ROWS_PER_CALL = 1000


class MilvusGallery(MilvusIndexes, Gallery):
    """A `Gallery` in Milvus Lite or in a Milvus server. Close it with `with`.

    Every method raises `IndexUnavailable` if Milvus does not answer or refuses.

    Args:
        uri, options, connect_seconds: See `Connection`.
        effort: The search parameter of approximate indexes; see `IndexType.default_effort`.
    """

    def __init__(
        self,
        uri: str,
        *,
        options: Mapping[str, str] | None = None,
        effort: int | None = None,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        super().__init__(Connection(uri, options=options or {}, connect_seconds=connect_seconds))
        self._effort = effort
        self._changes = 0  # writes that began plus writes that ended; odd during a write
        self._suspects: set[str] = set()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the gallery that the settings name; it connects with its first call."""
        options = {"token": settings.milvus_token}
        if settings.milvus_certificate:
            options["ca_pem_path"] = str(settings.milvus_ca)
            options["client_pem_path"] = str(settings.milvus_certificate)
            options["client_key_path"] = str(settings.milvus_key)
        elif settings.milvus_ca:
            options["server_pem_path"] = str(settings.milvus_ca)
        return cls(settings.milvus, options=options, effort=settings.index_effort)

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def take_suspects(self) -> set[str]:
        """Return the names of the indexes whose searches failed since the last call of this."""
        suspects, self._suspects = self._suspects, set()
        return suspects

    def upsert(self, name: str, image_ids: Sequence[int], descriptors: Sequence[Vector]) -> None:
        """Put descriptors into an index; see `Gallery`."""
        rows = [
            {"id": image_id, DESCRIPTOR_FIELD: descriptor}
            for image_id, descriptor in zip(image_ids, descriptors, strict=True)
        ]
        with self._changing("upsert"):
            for some in _slices(rows):
                self._client.upsert(name, some, timeout=_TIME_LIMIT)

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Remove images from an index; unknown ids are no error."""
        with self._changing("delete"):
            for some in _slices(image_ids):
                self._client.delete(name, ids=list(some), timeout=_TIME_LIMIT)

    def flush(self, name: str) -> None:
        """Move written rows from the log into a segment, so that searches stay fast."""
        with self._changing("flush"):
            self._client.flush(name, timeout=_TIME_LIMIT)

    def make_visible(self, name: str) -> None:
        """Wait until every search sees the rows that were written before.

        A server shows a deletion a fifth of a second later, and lists rows without consistency.
        """
        self._query("show what was written", name, "id in [0]")

    def search_each(
        self, name: str, queries: Vectors, *, top_k: int, among: Among = None, below: Below = None
    ) -> list[list[Neighbour]]:
        """Return the nearest images of each query; see `Gallery`."""
        limit, condition = min(top_k, MAX_NEIGHBOURS), _condition(among, below)
        return self._search(name, list(queries), limit, condition)

    def search_stored(self, name: str, query: Vector, *, top_k: int) -> list[Neighbour]:
        """Return the nearest rows as Milvus holds them; see `Gallery`."""
        return MilvusGallery.search_each(self, name, query[np.newaxis], top_k=top_k)[0]

    def ids(self, name: str) -> set[int]:
        """Return the ids of all rows of an index."""
        self.make_visible(name)
        with self._connection.calling("list"):
            iterator = self._client.query_iterator(
                name,
                batch_size=_ROWS_PER_CALL,
                filter="id >= 0",
                output_fields=["id"],
                timeout=_TIME_LIMIT,
            )
            try:
                ids: set[int] = set()
                while page := iterator.next():
                    ids.update(int(row["id"]) for row in page)
                return ids
            finally:
                iterator.close()

    def count(self, name: str) -> int:
        """Return the number of rows of an index."""
        (row,) = self._query("count", name, "", "count(*)")
        return int(row["count(*)"])

    def present(self, name: str, image_ids: Collection[int]) -> set[int]:
        """Return those of these ids that an index has."""
        return {int(row["id"]) for row in self._query("list", name, _condition(image_ids, None))}

    def _query(
        self, what: str, name: str, condition: str, field: str = "id"
    ) -> list[dict[str, Any]]:
        """Return the rows that meet a condition, including those that were just written."""
        with self._connection.calling(what):
            rows: list[dict[str, Any]] = self._client.query(
                name,
                filter=condition,
                output_fields=[field],
                consistency_level="Strong",
                timeout=_TIME_LIMIT,
            )
            return rows

    @contextmanager
    def _changing(self, what: str) -> Iterator[None]:
        """Hold the lock for writing into an index."""
        with self._writing, self._connection.calling(what):
            self._changes += 1
            try:
                yield
            finally:
                self._changes += 1

    def _repeated_after_writes(self, search: Callable[[], _T], seconds: float) -> _T:
        """Search, and repeat the search under the write lock if a write ran meanwhile.

        While Milvus Lite moves rows into a segment, which any write may cause, no search sees them.
        """
        changes = self._changes
        hits = search()
        if not self.is_embedded or (changes % 2 == 0 and changes == self._changes):
            return hits
        if not self._writing.acquire(timeout=seconds):
            raise IndexUnanswered("the index is being written; try again shortly")
        try:
            return search()
        finally:
            self._writing.release()

    def _search(
        self, name: str, queries: Sequence[Vector], limit: int, condition: str
    ) -> list[list[Neighbour]]:
        seconds = self._connection.search_seconds

        def search() -> list[list[dict[str, Any]]]:
            with self._searching(name):
                params = self._kind(name, seconds).search_params(limit, self._effort)
                hits: list[list[dict[str, Any]]] = self._client.search(
                    name,
                    list(queries),
                    filter=condition,
                    limit=limit,
                    search_params={"metric_type": "IP", "params": params},
                    output_fields=["id"],  # Lite returns the vectors unless fields are named
                    # By default a server answers from an older state, and misses rows that this
                    # connection just wrote; this costs nothing unless it has just written.
                    consistency_level="Session",
                    timeout=seconds,
                )
                return hits

        return [
            [Neighbour(int(hit["id"]), float(hit["distance"])) for hit in hits]
            for hits in self._repeated_after_writes(search, seconds)
        ]

    @contextmanager
    def _searching(self, name: str) -> Iterator[None]:
        """Search, failing fast; note an index whose search failed, so that replay checks it."""
        try:
            with self._connection.calling("search", fail_fast=True):
                yield
        except IndexUnavailable:
            self._suspects.add(name)
            raise


def _condition(among: Among, below: Below) -> str:
    conditions = [] if among is None else [f"id in {sorted(among)}"]
    if below is not None:
        conditions.append(f"id < {below}")
    return " and ".join(conditions)


def _slices(rows: Sequence[Any]) -> Iterable[Any]:
    return (rows[at : at + _ROWS_PER_CALL] for at in range(0, len(rows), _ROWS_PER_CALL))
