"""The interface of an index over descriptors, which can be rebuilt from the catalogue any time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bento_service.gallery.index_types import IndexType


@dataclass(frozen=True)
class Neighbour:
    """An image near to a query; `score` is the cosine of their descriptors."""

    image_id: int
    score: float


class Gallery(Protocol):
    """The indexes of a service, by name. Close it with `with`.

    Every method raises `IndexUnavailable` if the index does not answer or refuses.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def is_embedded(self) -> bool:
        """True if the indexes are in this process, which nothing else uses."""
        ...

    @property
    def is_milvus_lite(self) -> bool:
        """True if it is Milvus Lite, without checksums: rows can be corrupted without an error."""
        ...

    @property
    def answers(self) -> bool:
        """True if the last call was answered."""
        ...

    def take_suspects(self) -> set[str]:
        """Return the names of the indexes whose searches failed since the last call of this."""
        ...

    def open(self, name: str, dimension: int) -> None:
        """Make an index ready for searches: create, repair and load it as needed.

        The caller compares its rows with the catalogue.

        Args:
            name: Name of the index.
            dimension: D, components of a descriptor.
        """
        ...

    def load(self, name: str) -> None:
        """Make an existing index ready for searches, without creating or repairing anything."""
        ...

    def kind(self, name: str) -> IndexType:
        """Return the type of an index."""
        ...

    def prepare(self, name: str, dimension: int) -> bool:
        """Create an index whose rows can be written and not searched yet; `build` follows.

        Returns:
            False if it existed before.
        """
        ...

    def build(self, name: str, index_type: IndexType) -> bool:
        """Build a prepared index over its rows; call it until it returns True.

        Returns:
            True if the index is built and loaded.
        """
        ...

    def upsert(
        self, name: str, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]
    ) -> None:
        """Put descriptors into an index; replace those with a known id.

        Args:
            name: Name of the index.
            image_ids: N different ids.
            descriptors: N vectors (D,) float32, of unit length.
        """
        ...

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Remove images from an index; unknown ids are no error."""
        ...

    def flush(self, name: str) -> None:
        """Bring written rows into the form in which searches are fast."""
        ...

    def make_visible(self, name: str) -> None:
        """Wait until every search sees the rows that were written before."""
        ...

    def search(
        self,
        name: str,
        query: NDArray[np.float32],
        *,
        top_k: int,
        among: Collection[int] | None = None,
        below: int | None = None,
    ) -> list[Neighbour]:
        """Return the nearest images of an index, best first.

        Args:
            name: Name of the index.
            query: (D,) float32, of unit length.
            top_k: Most images to return, up to `MAX_NEIGHBOURS`.
            among: Ids of the images to search among; all if `None`.
            below: The id below which images are searched; no limit if `None`.
        """
        ...

    def search_each(
        self, name: str, queries: NDArray[np.float32], *, top_k: int
    ) -> list[list[Neighbour]]:
        """Return the nearest images of each query, in one call that other callers do not share.

        Args:
            name: Name of the index.
            queries: (N, D) float32, of unit length.
            top_k: Most images to return for each, up to `MAX_NEIGHBOURS`.
        """
        ...

    def ids(self, name: str) -> set[int]:
        """Return the ids of all rows of an index."""
        ...

    def names(self) -> list[str]:
        """Return the names of all indexes, including those of other programs."""
        ...

    def drop(self, name: str) -> None:
        """Remove an index; an unknown one is no error."""
        ...
