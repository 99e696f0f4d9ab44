"""What an index over descriptors has to do, whoever does it: it can be thrown away at any time."""

from collections.abc import Sequence
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

    Every method raises `IndexUnavailable` where the index does not answer or refuses.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def is_embedded(self) -> bool:
        """Whether it is a part of this process, which nobody else uses."""
        ...

    @property
    def is_milvus_lite(self) -> bool:
        """Whether it is Milvus Lite, whose files have no checksums: rows can change unseen."""
        ...

    @property
    def answers(self) -> bool:
        """Whether the last call was answered."""
        ...

    def doubted(self) -> set[str]:
        """Names of the indexes whose search failed since this was asked before."""
        ...

    def open(self, name: str, dimension: int) -> None:
        """Make an index ready for searches: created, repaired and loaded as needed.

        The caller compares what it holds with the catalogue.

        Args:
            name: Of the index.
            dimension: D, components of a descriptor.
        """
        ...

    def load(self, name: str) -> None:
        """Make an index ready as it is; unlike `open` this makes and mends nothing."""
        ...

    def kind(self, name: str) -> IndexType:
        """Of which kind an index is."""
        ...

    def prepare(self, name: str, dimension: int) -> bool:
        """Make rows that can be written and not searched yet; `build` follows.

        Returns:
            Whether they were not there before.
        """
        ...

    def build(self, name: str, index_type: IndexType) -> bool:
        """Have an index built over what was written; call it until it has.

        Returns:
            Whether the index is whole and loaded.
        """
        ...

    def upsert(
        self, name: str, image_ids: Sequence[int], descriptors: Sequence[NDArray[np.float32]]
    ) -> None:
        """Put descriptors into an index; those with a known id are replaced.

        Args:
            name: Of the index.
            image_ids: N ids, none twice.
            descriptors: N vectors (D,) float32, of unit length.
        """
        ...

    def delete(self, name: str, image_ids: Sequence[int]) -> None:
        """Take images out of an index; unknown ids are no error."""
        ...

    def flush(self, name: str) -> None:
        """Bring what was written into the form in which searches are fast."""
        ...

    def make_visible(self, name: str) -> None:
        """Wait until every search sees what was written before."""
        ...

    def search(
        self,
        name: str,
        query: NDArray[np.float32],
        *,
        top_k: int,
        condition: str = "",
        below: int | None = None,
    ) -> list[Neighbour]:
        """The nearest images of an index, best first.

        Args:
            name: Of the index.
            query: (D,) float32, of unit length.
            top_k: At most so many, `MAX_NEIGHBOURS` at the most.
            condition: Only images that fulfil it, in Milvus' words; not for embedded ones.
            below: Only images with a smaller id than this, instead of a condition.
        """
        ...

    def search_each(
        self, name: str, queries: NDArray[np.float32], *, top_k: int
    ) -> list[list[Neighbour]]:
        """The nearest images of each of some queries, in one call that nobody else's query shares.

        Args:
            name: Of the index.
            queries: (N, D), of unit length.
            top_k: At most so many for each, `MAX_NEIGHBOURS` at the most.
        """
        ...

    def ids(self, name: str) -> set[int]:
        """Every id that an index holds."""
        ...

    def names(self) -> list[str]:
        """Every index, other programs' too."""
        ...

    def drop(self, name: str) -> None:
        """Remove an index; an unknown one is no error."""
        ...
