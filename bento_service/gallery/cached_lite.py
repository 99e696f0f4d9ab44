"""Milvus Lite with a cache: small indexes are also in memory, where searches find them.

A search of Milvus Lite runs Python code for every row: 4 ms of CPU at 1,000 rows and 23 at 10,000,
where the product of a matrix and a vector takes 0.3 and 5. Milvus Lite still holds every row, is
compared with the catalogue, and answers for the indexes that do not fit into the cache.

One thread writes to an index. It writes to Milvus Lite first, and fills the cache between two
writes, from the catalogue. So the cache lacks nothing that Milvus Lite has, and it can only have
changes that Milvus Lite lacks; those are still pending, and a search merges them in any case.
"""

from collections.abc import Callable, Mapping, Sequence

from bento_service.gallery.gallery import Among, Below, Neighbour, Vector, Vectors
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.gallery.rows import Batches, Rows
from bento_service.settings import Settings

MAX_CACHED_BYTES = 256 * 2**20
"""The memory of all cached indexes: 65,000 descriptors of 1,024 components."""
_FILLED = 0.9
Stored = Callable[[str], Batches | None]
"""Reads the rows of an index from the catalogue by its name; returns `None` for an unknown one."""


class CachedLite(MilvusGallery):
    """A `Gallery` in Milvus Lite, with small indexes also in memory. Close it with `with`.

    Args:
        folder: The path of Milvus Lite's folder.
        stored: See `Stored`.
        max_bytes: The memory of all cached indexes.
    """

    def __init__(self, folder: str, stored: Stored, *, max_bytes: int = MAX_CACHED_BYTES) -> None:
        super().__init__(folder)
        self._stored = stored
        self._max_bytes = max_bytes
        self._cache: dict[str, Rows] = {}

    @property
    def cached_bytes(self) -> int:
        """The memory of the cached indexes."""
        return sum(rows.size for rows in tuple(self._cache.values()))

    def cache(self, sizes: Mapping[str, int]) -> None:
        """Cache the smallest of these indexes that fit together, and no other; see `Gallery`."""
        total, wanted = 0, []
        for name, size in sorted(sizes.items(), key=lambda entry: entry[1]):
            total += size
            # An index whose size is near the limit is not read again and again.
            if total <= self._max_bytes * (1.0 if name in self._cache else _FILLED):
                wanted.append(name)
        for name in self._cache.keys() - wanted:
            self._cache.pop(name, None)
        for name in wanted:
            if name not in self._cache and (batches := self._stored(name)) is not None:
                self._cache[name] = Rows(batches)

    def upsert(self, name: str, image_ids: Sequence[int], descriptors: Sequence[Vector]) -> None:
        """Put descriptors into an index; see `Gallery`."""
        super().upsert(name, image_ids, descriptors)
        if rows := self._cache.get(name):
            rows.put(image_ids, descriptors)
            if self.cached_bytes > self._max_bytes:
                del self._cache[name]

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Remove images from an index; unknown ids are no error."""
        super().delete(name, image_ids)
        if rows := self._cache.get(name):
            rows.remove(image_ids)

    def drop(self, name: str) -> None:
        """Remove an index with its files; an unknown one is no error."""
        self._cache.pop(name, None)
        super().drop(name)

    def search_each(
        self, name: str, queries: Vectors, *, top_k: int, among: Among = None, below: Below = None
    ) -> list[list[Neighbour]]:
        """Return the nearest images of each query; see `Gallery`."""
        if rows := self._cache.get(name):
            return rows.search(queries, top_k, among, below)
        return super().search_each(name, queries, top_k=top_k, among=among, below=below)


def cached_gallery(settings: Settings, stored: Stored) -> MilvusGallery:
    """Return the gallery that the settings name; Milvus Lite gets a cache."""
    server = MilvusGallery.from_settings(settings)
    return CachedLite(settings.milvus, stored) if server.is_embedded else server
