"""Exact search over descriptors in memory, which needs neither Milvus nor files.

An index is read from its storage when it is first used. A search reads all of it, 4 KB for each
image, so this serves some 100,000 images.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bento_service.errors import IndexUnavailable
from bento_service.gallery.gallery import Neighbour
from bento_service.gallery.index_types import MAX_NEIGHBOURS, IndexType

MAX_EXACT = 100_000
"""Images that are searched quickly: a search reads 400 MB of memory then."""
Batches = Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]
"""Batches of ids (N,) and descriptors (N, D)."""
_FIRST_ROWS = 1024


class ExactGallery:
    """A `Gallery` of matrices in memory. Threads may share it.

    `stored` reads the rows of an index by its name, and returns `None` for an unknown index.
    """

    is_embedded = True
    is_milvus_lite = False
    answers = True

    def __init__(self, stored: Callable[[str], Batches | None]) -> None:
        self._stored = stored
        self._guard = threading.Lock()
        self._rows: dict[str, _Rows] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._rows.clear()

    def take_suspects(self) -> set[str]:
        """Return nothing, since no search fails."""
        return set()

    def open(self, name: str, dimension: int) -> None:
        """Read an index from its storage, if that was not done before."""
        del dimension  # the descriptors have it
        with self._guard:
            if name not in self._rows:
                self._rows[name] = _Rows(self._stored(name) or ())

    def load(self, name: str) -> None:
        """Read a known index from its storage, if that was not done before."""
        with self._guard:
            self._index(name)

    def kind(self, name: str) -> IndexType:
        """Return the type of exact search."""
        del name
        return IndexType.FLAT

    def prepare(self, name: str, dimension: int) -> bool:
        """Open an index, which needs no other preparation."""
        is_new = name not in self._rows
        self.open(name, dimension)
        return is_new

    def build(self, name: str, index_type: IndexType) -> bool:
        """Return whether an index is open; nothing has to be built."""
        del index_type
        return name in self._rows

    def upsert(
        self, name: str, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]
    ) -> None:
        """Put descriptors into an index; see `Gallery`."""
        with self._guard:
            self._index(name).put(image_ids, descriptors)

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Remove images from an index; unknown ids are no error."""
        with self._guard:
            self._index(name).remove(image_ids)

    def flush(self, name: str) -> None:
        """Do nothing, since searches are always fast."""

    def make_visible(self, name: str) -> None:
        """Do nothing, since every row is visible at once."""

    def search(
        self,
        name: str,
        query: NDArray[np.float32],
        *,
        top_k: int,
        among: Collection[int] | None = None,
        below: int | None = None,
    ) -> list[Neighbour]:
        """Return the nearest images of an index, best first; see `Gallery`."""
        with self._guard:
            return self._index(name).nearest(query, min(top_k, MAX_NEIGHBOURS), among, below)

    def search_each(
        self, name: str, queries: NDArray[np.float32], *, top_k: int
    ) -> list[list[Neighbour]]:
        """Return the nearest images of each query; see `Gallery`."""
        return [self.search(name, query, top_k=top_k) for query in queries]

    def ids(self, name: str) -> set[int]:
        """Return the ids of all rows of an index."""
        with self._guard:
            return set(self._index(name).places)

    def names(self) -> list[str]:
        """Return the names of the indexes that were read so far."""
        return list(self._rows)

    def drop(self, name: str) -> None:
        """Forget an index; an unknown one is no error."""
        with self._guard:
            self._rows.pop(name, None)

    def _index(self, name: str) -> "_Rows":
        if name not in self._rows:
            batches = self._stored(name)
            if batches is None:
                raise IndexUnavailable("the index is gone; try again shortly")
            self._rows[name] = _Rows(batches)
        return self._rows[name]


class _Rows:
    """The rows of one index, at the beginning of a matrix that has room for more."""

    def __init__(self, batches: Batches) -> None:
        self.places: dict[int, int] = {}
        self._ids = np.empty(0, np.int64)
        self._matrix = np.empty((0, 0), np.float32)
        for ids, vectors in batches:
            self.put(ids.tolist(), list(vectors))

    def put(self, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]) -> None:
        """Add or replace rows."""
        if not image_ids:
            return
        self._make_room(len(self.places) + len(image_ids), len(descriptors[0]))
        for image_id, descriptor in zip(image_ids, descriptors, strict=True):
            place = self.places.setdefault(image_id, len(self.places))
            self._ids[place] = image_id
            self._matrix[place] = descriptor

    def remove(self, image_ids: Iterable[int]) -> None:
        """Remove rows; the last row moves to the place of each."""
        for image_id in image_ids:
            place = self.places.pop(image_id, None)
            if place is None:
                continue
            last = len(self.places)
            if place != last:
                moved = int(self._ids[last])
                self._ids[place], self._matrix[place] = moved, self._matrix[last]
                self.places[moved] = place

    def nearest(
        self,
        query: NDArray[np.float32],
        top_k: int,
        among: Collection[int] | None,
        below: int | None,
    ) -> list[Neighbour]:
        """Return the nearest rows that meet both conditions, best first."""
        count = len(self.places)
        if count == 0:
            return []
        ids, scores = self._ids[:count], self._matrix[:count] @ query
        if among is not None:
            chosen = np.isin(ids, np.fromiter(among, np.int64))
            ids, scores = ids[chosen], scores[chosen]
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
        size, used = max(rows, _FIRST_ROWS, 3 * len(self._ids) // 2), len(self.places)
        ids, matrix = np.empty(size, np.int64), np.empty((size, dimension), np.float32)
        ids[:used] = self._ids[:used]
        matrix[:used] = self._matrix[:used].reshape(used, dimension)
        self._ids, self._matrix = ids, matrix
