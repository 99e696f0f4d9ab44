"""The interface of an index over descriptors, which can be rebuilt from the catalogue any time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bento_service.gallery.cosines import Scored
from bento_service.gallery.index_types import IndexType

Vector = NDArray[np.float32]
"""A query or a descriptor (D,), of unit length."""
Vectors = NDArray[np.float32]
"""Queries or descriptors (N, D), each of unit length."""
Among = Collection[int] | None
"""The ids of the images to search among; all if `None`."""
Below = int | None
"""The id below which images are searched; no limit if `None`."""


@dataclass(frozen=True)
class Neighbour(Scored):
    """An image near to a query, with the cosine of their descriptors."""

    image_id: int
    cosine: float


class Gallery(Protocol):
    """The indexes of a service, by name. Close it with `with`.

    The defaults are those of indexes in memory. Every method raises `IndexUnavailable` if the index
    does not answer or refuses.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    @property
    def is_embedded(self) -> bool:
        """True if the indexes are in this process, which nothing else uses."""

    @property
    def is_milvus_lite(self) -> bool:
        """True if it is Milvus Lite, without checksums: rows can be corrupted without an error."""
        return False

    @property
    def answers(self) -> bool:
        """True if the last call was answered."""
        return True

    @property
    def cached_bytes(self) -> int:
        """The memory of the indexes that searches find in this process, in bytes."""
        return 0

    def cache(self, sizes: Mapping[str, int]) -> None:
        """Choose the open indexes that searches find in memory, given the bytes of each.

        A server has caches of its own.
        """
        return

    def take_suspects(self) -> set[str]:
        """Return the names of the indexes whose searches failed since the last call of this."""
        return set()

    def open(self, name: str, dimension: int) -> None:
        """Make an index ready for searches: create, repair and load it as needed.

        The caller compares its rows with the catalogue.
        """

    def load(self, name: str) -> None:
        """Make an existing index ready for searches, without creating or repairing anything."""

    def kind(self, name: str) -> IndexType:
        """Return the type of an index."""

    def prepare(self, name: str, dimension: int) -> bool:
        """Create an index whose rows can be written and not searched yet; `build` follows.

        Returns:
            False if it existed before.
        """

    def build(self, name: str, index_type: IndexType) -> bool:
        """Build a prepared index over its rows; call it until it returns True.

        Returns:
            True if the index is built and loaded.
        """

    def upsert(self, name: str, image_ids: Sequence[int], descriptors: Sequence[Vector]) -> None:
        """Put unit vectors (D,) into an index, one for each id; replace those with a known id."""

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Remove images from an index; unknown ids are no error."""

    def flush(self, name: str) -> None:
        """Bring written rows into the form in which searches are fast."""
        return

    def make_visible(self, name: str) -> None:
        """Wait until every search sees the rows that were written before."""
        return

    def search(
        self, name: str, query: Vector, *, top_k: int, among: Among = None, below: Below = None
    ) -> list[Neighbour]:
        """Return the images of an index that are nearest to one query (D,); see `search_each`."""
        queries = query[np.newaxis]
        (near,) = self.search_each(name, queries, top_k=top_k, among=among, below=below)
        return near

    def search_each(
        self, name: str, queries: Vectors, *, top_k: int, among: Among = None, below: Below = None
    ) -> list[list[Neighbour]]:
        """Return up to `top_k` images that are nearest to each query, best first.

        No index returns more than `MAX_NEIGHBOURS`.
        """

    def search_stored(self, name: str, query: Vector, *, top_k: int) -> list[Neighbour]:
        """Return the nearest rows as they are stored, without the cache, to check them."""
        return self.search(name, query, top_k=top_k)

    def ids(self, name: str) -> set[int]:
        """Return the ids of all stored rows of an index."""

    def count(self, name: str) -> int:
        """Return the number of stored rows of an index."""
        return len(self.ids(name))

    def present(self, name: str, image_ids: Collection[int]) -> set[int]:
        """Return those of these ids that are among the stored rows of an index."""
        return self.ids(name).intersection(image_ids)

    def names(self) -> list[str]:
        """Return the names of all indexes, including those of other programs."""

    def drop(self, name: str) -> None:
        """Remove an index; an unknown one is no error."""
