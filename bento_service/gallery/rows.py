"""The descriptors of one index in memory, and exact search among them."""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.gallery.gallery import Among, Below, Neighbour, Vector, Vectors
from bento_service.gallery.index_types import MAX_NEIGHBOURS

Batches = Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]
"""Batches of ids (N,) and descriptors (N, D)."""
_SETS_PER_HIT = 8


@dataclass(eq=False)
class _Waiting:
    """A query that waits for its hits."""

    query: Vector
    top_k: int
    hits: list[Neighbour] | None = None


class Rows:
    """The rows of one index, at the beginning of a matrix that has room for more.

    Threads may share it: every search sees all writes that have returned, and no half of one.
    """

    def __init__(self, batches: Batches) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._places: dict[int, int] = {}
        self._ids = np.empty(0, np.int64)
        self._matrix = np.empty((0, 0), np.float32)
        for ids, vectors in batches:
            self.put(ids.tolist(), list(vectors))

    @property
    def ids(self) -> set[int]:
        """The ids of all rows."""
        with self._lock:
            return set(self._places)

    @property
    def size(self) -> int:
        """The memory of ids and descriptors, in bytes."""
        return self._ids.nbytes + self._matrix.nbytes

    def put(self, image_ids: Sequence[int], descriptors: Sequence[Vector]) -> None:
        """Add or replace rows."""
        if not image_ids:
            return
        with self._lock:
            most = len(self._places) + len(image_ids)
            if most > len(self._ids):
                self._resize(most, len(descriptors[0]))
            for image_id, descriptor in zip(image_ids, descriptors, strict=True):
                place = self._places.setdefault(image_id, len(self._places))
                self._ids[place] = image_id
                self._matrix[place] = descriptor

    def remove(self, image_ids: Iterable[int]) -> None:
        """Remove rows; the last row moves to the place of each."""
        with self._lock:
            for image_id in image_ids:
                place = self._places.pop(image_id, None)
                if place is None:
                    continue
                last = len(self._places)
                if place != last:
                    moved = int(self._ids[last])
                    self._ids[place], self._matrix[place] = moved, self._matrix[last]
                    self._places[moved] = place
            if 2 * len(self._places) < len(self._ids):
                self._resize(len(self._places), self._matrix.shape[1])

    def search(
        self, queries: Vectors, top_k: int, among: Among, below: Below
    ) -> list[list[Neighbour]]:
        """Return the nearest rows of each query; see `Gallery.search_each`."""
        if len(queries) == 1 and among is None and below is None:
            return [self.nearest(queries[0], top_k)]
        return self.nearest_each(queries, top_k, among, below)

    def nearest(self, query: Vector, top_k: int) -> list[Neighbour]:
        """Return the nearest rows of a query, perhaps together with queries of other threads."""
        own = _Waiting(query, top_k)
        self._waiting.append(own)
        with self._turn:
            if own.hits is None:  # no other caller has answered it
                self._answer_together(own)
        return own.hits or []

    def _answer_together(self, own: _Waiting) -> None:
        """Answer this query and all that wait: reading the matrix takes most of the time."""
        together = [own]
        while self._waiting:  # only the caller whose turn it is takes some away
            if (other := self._waiting.popleft()) is not own:
                together.append(other)
        queries = np.stack([waiting.query for waiting in together])
        each = self.nearest_each(queries, max(waiting.top_k for waiting in together))
        for waiting, hits in zip(together, each, strict=True):
            waiting.hits = hits[: waiting.top_k]

    def nearest_each(
        self, queries: Vectors, top_k: int, among: Among = None, below: Below = None
    ) -> list[list[Neighbour]]:
        """Return the nearest rows of each query (N, D) that meet both conditions."""
        top_k = min(top_k, MAX_NEIGHBOURS)
        with self._lock:
            count = len(self._places)
            if count == 0:
                return [[] for _ in queries]
            scores = queries @ self._matrix[:count].T
            places = np.arange(count)
            if among is not None:
                places = places[np.isin(self._ids[:count], np.fromiter(among, np.int64))]
            if below is not None:
                places = places[self._ids[places] < below]
            return [
                self._best(query, places, own[places], top_k)
                for query, own in zip(queries, scores, strict=True)
            ]

    def _best(
        self, query: Vector, places: NDArray[np.int64], scores: Vector, top_k: int
    ) -> list[Neighbour]:
        if top_k < len(places):
            places = places[_largest(scores, top_k)]
        # In double precision, a score does not depend on the other queries of a product.
        exact = np.einsum("nd,d->n", self._matrix[places], query, dtype=np.float64)
        order = np.argsort(-exact, kind="stable")
        return list(map(Neighbour, self._ids[places[order]].tolist(), exact[order].tolist()))

    def _resize(self, rows: int, dimension: int) -> None:
        """Make room for rows and some more, in place where the system can move pages."""
        size = rows + rows // 8 + 16
        if self._matrix.shape[1] != dimension:
            self._matrix = np.empty((0, dimension), np.float32)
        # All views are temporary and made under the lock.
        self._ids.resize(size, refcheck=False)
        self._matrix.resize((size, dimension), refcheck=False)


def _largest(scores: Vector, count: int) -> NDArray[np.intp]:
    """Return the places of the `count` largest scores, in no order.

    Partitioning all scores takes a millisecond for 100,000 of them. So they are divided into sets
    first: the `count` largest maxima of the sets are scores, so no smaller score is among the
    largest.
    """
    sets = _SETS_PER_HIT * count
    rows = len(scores) // sets
    places = np.arange(len(scores))
    if rows > _SETS_PER_HIT:
        maxima = scores[: rows * sets].reshape(rows, sets).max(axis=0)
        places = np.flatnonzero(scores >= np.partition(maxima, -count)[-count])
    return places[np.argpartition(-scores[places], count - 1)[:count]]
