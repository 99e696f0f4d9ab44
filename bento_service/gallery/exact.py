"""Descriptors in memory, compared one by one: an index that needs neither Milvus nor files.

What it holds is read from where the descriptors are stored when an index is asked for first. A
search reads all of it, at 4 KB an image, so this serves some 100,000 images.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import IndexUnavailable
from bento_service.gallery.gallery import Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS, IndexType

MAX_EXACT = 100_000
"""Images that are compared well: a search reads 400 MB of memory then."""
Stored = Callable[[str], Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]] | None]
"""The ids (N,) and descriptors (N, D) of an index by its name, in parts; none if it is unknown."""
_FIRST_ROWS = 1024


class ExactGallery:
    """A `Gallery` of matrices. Threads may share it."""

    def __init__(self, stored: Stored) -> None:
        """Prepare; nothing is read before it is needed.

        Args:
            stored: Where the descriptors are.
        """
        self._stored = stored
        self._guard = threading.Lock()
        self._rows: dict[str, _Rows] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._rows.clear()

    @property
    def is_embedded(self) -> bool:
        """Always."""
        return True

    @property
    def is_milvus_lite(self) -> bool:
        """Never: nothing but what is stored is read."""
        return False

    @property
    def answers(self) -> bool:
        """Always."""
        return True

    def doubted(self) -> set[str]:
        """None."""
        return set()

    def open(self, name: str, dimension: int) -> None:
        """Read what is stored, unless that has been done."""
        del dimension  # the descriptors have it
        with self._guard:
            if name not in self._rows:
                self._rows[name] = _Rows.of(self._stored(name) or ())

    def load(self, name: str) -> None:
        """As `open`, for an index that is there."""
        with self._guard:
            self._known(name)

    def kind(self, name: str) -> IndexType:
        """Exact."""
        del name
        return IndexType.FLAT

    def prepare(self, name: str, dimension: int) -> bool:
        """As `open`; there is no other kind that an index could become."""
        is_new = name not in self._rows
        self.open(name, dimension)
        return is_new

    def build(self, name: str, index_type: IndexType) -> bool:
        """Nothing has to be built."""
        del index_type
        return name in self._rows

    def upsert(
        self, name: str, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]
    ) -> None:
        """Put descriptors into an index; see `Gallery`."""
        with self._guard:
            self._known(name).put(image_ids, descriptors)

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Take images out of an index; unknown ids are no error."""
        with self._guard:
            self._known(name).remove(image_ids)

    def flush(self, name: str) -> None:
        """Nothing waits."""

    def make_visible(self, name: str) -> None:
        """Everything is."""

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
        if condition:
            raise ValueError("there is no such search in memory")
        with self._guard:
            return self._known(name).nearest(query, min(top_k, MAX_NEIGHBOURS), below)

    def search_each(
        self, name: str, queries: NDArray[np.float32], *, top_k: int
    ) -> list[list[Neighbour]]:
        """The nearest images of each of some queries; see `Gallery`."""
        return [self.search(name, query, top_k=top_k) for query in queries]

    def ids(self, name: str) -> set[int]:
        """Every id that an index holds."""
        with self._guard:
            return set(self._known(name).places)

    def names(self) -> list[str]:
        """Those that are in memory; the others are read when they are asked for."""
        return list(self._rows)

    def drop(self, name: str) -> None:
        """Forget an index; an unknown one is no error."""
        with self._guard:
            self._rows.pop(name, None)

    def _known(self, name: str) -> "_Rows":
        if name not in self._rows:
            parts = self._stored(name)
            if parts is None:
                raise IndexUnavailable("the index is gone; try again shortly")
            self._rows[name] = _Rows.of(parts)
        return self._rows[name]


class _Rows:
    """The descriptors of one index, the living ones at the beginning of a matrix with room."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        self._ids = np.empty(0, np.int64)
        self._matrix = np.empty((0, 0), np.float32)

    @classmethod
    def of(cls, parts: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]) -> "_Rows":
        """What is stored."""
        rows = cls()
        for ids, vectors in parts:
            rows.put(ids.tolist(), list(vectors))
        return rows

    def put(self, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]) -> None:
        """Add or replace."""
        if not image_ids:
            return
        self._make_room(len(self.places) + len(image_ids), len(descriptors[0]))
        for image_id, descriptor in zip(image_ids, descriptors, strict=True):
            place = self.places.setdefault(image_id, len(self.places))
            self._ids[place] = image_id
            self._matrix[place] = descriptor

    def remove(self, image_ids: Iterable[int]) -> None:
        """The last row takes the place of one that goes."""
        for image_id in image_ids:
            place = self.places.pop(image_id, None)
            if place is None:
                continue
            last = len(self.places)
            if place != last:
                moved = int(self._ids[last])
                self._ids[place], self._matrix[place] = moved, self._matrix[last]
                self.places[moved] = place

    def nearest(self, query: NDArray[np.float32], top_k: int, below: int | None) -> list[Neighbour]:
        """The best of them, or of those with a smaller id, best first."""
        count = len(self.places)
        if count == 0:
            return []
        ids, scores = self._ids[:count], self._matrix[:count] @ query
        if below is not None:
            ids, scores = ids[ids < below], scores[ids < below]
        if top_k < len(ids):
            best = np.argpartition(-scores, top_k - 1)[:top_k]
            ids, scores = ids[best], scores[best]
        order = np.argsort(-scores, kind="stable")
        pairs = zip(ids[order].tolist(), scores[order].tolist(), strict=True)
        return [Neighbour(image_id, score) for image_id, score in pairs]

    def _make_room(self, rows: int, dimension: int) -> None:
        if rows <= len(self._ids):
            return
        size, held = max(rows, _FIRST_ROWS, 3 * len(self._ids) // 2), len(self.places)
        ids, matrix = np.empty(size, np.int64), np.empty((size, dimension), np.float32)
        ids[:held] = self._ids[:held]
        matrix[:held] = self._matrix[:held].reshape(held, dimension)
        self._ids, self._matrix = ids, matrix
