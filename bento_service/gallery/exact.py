"""Exact search over descriptors in memory, which needs neither Milvus nor files.

An index is read from its storage when it is first used. A search reads all of it, 4 KB for each
image, so this serves some 100,000 images.
"""

import threading
from collections.abc import Callable, Sequence

from bento_service.errors import IndexUnavailable
from bento_service.gallery.gallery import Among, Below, Gallery, Neighbour, Vector, Vectors
from bento_service.gallery.index_types import IndexType
from bento_service.gallery.rows import Batches, Rows

MAX_EXACT = 100_000
"""Images that are searched quickly: a search reads 400 MB of memory then."""


class ExactGallery(Gallery):
    """A `Gallery` of matrices in memory. Threads may share it.

    `stored` reads the rows of an index by its name, and returns `None` for an unknown index.
    """

    is_embedded = True

    def __init__(self, stored: Callable[[str], Batches | None]) -> None:
        self._stored = stored
        self._guard = threading.Lock()
        self._rows: dict[str, Rows] = {}

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._rows.clear()

    @property
    def cached_bytes(self) -> int:
        """The memory of the indexes that were read so far."""
        return sum(rows.size for rows in tuple(self._rows.values()))

    def open(self, name: str, dimension: int) -> None:
        """Read an index from its storage, if that was not done before."""
        del dimension  # the descriptors have it
        with self._guard:
            if name not in self._rows:
                self._rows[name] = Rows(self._stored(name) or ())

    def load(self, name: str) -> None:
        """Read a known index from its storage, if that was not done before."""
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
        """Return true if an index is open; nothing has to be built."""
        del index_type
        return name in self._rows

    def upsert(self, name: str, image_ids: Sequence[int], descriptors: Sequence[Vector]) -> None:
        """Put descriptors into an index; see `Gallery`."""
        self._index(name).put(image_ids, descriptors)

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Remove images from an index; unknown ids are no error."""
        self._index(name).remove(image_ids)

    def search_each(
        self, name: str, queries: Vectors, *, top_k: int, among: Among = None, below: Below = None
    ) -> list[list[Neighbour]]:
        """Return the nearest images of each query; see `Gallery`."""
        return self._index(name).search(queries, top_k, among, below)

    def ids(self, name: str) -> set[int]:
        """Return the ids of all rows of an index."""
        return self._index(name).ids

    def names(self) -> list[str]:
        """Return the names of the indexes that were read so far."""
        return list(self._rows)

    def drop(self, name: str) -> None:
        """Forget an index; an unknown one is no error."""
        with self._guard:
            self._rows.pop(name, None)

    def _index(self, name: str) -> Rows:
        with self._guard:
            if name not in self._rows:
                batches = self._stored(name)
                if batches is None:
                    raise IndexUnavailable("the index is gone; try again shortly")
                self._rows[name] = Rows(batches)
            return self._rows[name]
