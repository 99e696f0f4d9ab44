"""The types of index that Milvus builds over descriptors, and which one a collection should have.

The limits come from `python -m benchmarks.index`; docs/performance.md has the table.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MAX_NEIGHBOURS = 16_384
"""The most neighbours that a Milvus server returns for one query."""
TIERS = (128, 1024, MAX_NEIGHBOURS)
"""The numbers of neighbours that an approximate index is asked for, one after the other.

An approximate index returns other neighbours when it is asked for more. With fixed numbers, every
page of a result is cut from the same neighbours.
"""
MAX_FLAT = 20_000
"""Images that a server compares one by one, before an approximate index is worth its memory."""
MAX_IN_MEMORY = 5_000_000
"""Images that HNSW holds in memory, 2.5 KB each; for more, IVF_SQ8 takes half of that."""
MAX_LITE = 50_000
"""Images that Milvus Lite searches quickly; the time grows with the number of images."""
_LISTS = 1024

Choice = Literal["auto", "flat", "hnsw", "ivf_sq8", "diskann"]
"""The values of the setting."""


class IndexType(StrEnum):
    """The index types, by Milvus' names."""

    FLAT = "FLAT"
    HNSW = "HNSW"
    IVF_SQ8 = "IVF_SQ8"
    DISKANN = "DISKANN"

    @property
    def is_exact(self) -> bool:
        """True if every descriptor is compared."""
        return self is IndexType.FLAT

    @property
    def has_exact_scores(self) -> bool:
        """True if scores are cosines of the descriptors, and not of rounded ones."""
        return self is not IndexType.IVF_SQ8

    @property
    def default_effort(self) -> int:
        """The search parameter, unless the operator sets it.

        Candidates of HNSW (`ef`) and of DISKANN (`search_list`), lists of IVF_SQ8 (`nprobe`).
        """
        # A million in HNSW needs 256 for a recall of 0.99; 128 are hardly cheaper.
        return {IndexType.HNSW: 256, IndexType.IVF_SQ8: 64}.get(self, TIERS[0])

    def build_params(self) -> dict[str, int]:
        """Return Milvus' parameters for building an index."""
        return {
            IndexType.HNSW: {"M": 16, "efConstruction": 200},
            IndexType.IVF_SQ8: {"nlist": _LISTS},
        }.get(self, {})

    def search_params(self, top_k: int, effort: int | None) -> dict[str, int]:
        """Return Milvus' parameters for a search of `top_k` neighbours."""
        effort = effort or self.default_effort
        return {
            IndexType.HNSW: {"ef": max(effort, top_k)},
            IndexType.IVF_SQ8: {"nprobe": min(effort, _LISTS)},
            IndexType.DISKANN: {"search_list": max(effort, top_k)},
        }.get(self, {})


@dataclass(frozen=True)
class IndexRule:
    """The rule for the index type of a collection.

    Attributes:
        embedded: True if the index is embedded, where only exact search is fast.
        embedded_name: The name of the embedded index, for people.
        max_embedded: Images that an embedded index searches quickly.
        max_flat: Images up to which a server compares one by one.
    """

    choice: Choice = "auto"
    embedded: bool = True
    embedded_name: str = "Milvus Lite"
    max_embedded: int = MAX_LITE
    max_flat: int = MAX_FLAT

    def wanted(self, present: IndexType, images: int) -> IndexType:
        """Return the type that a collection should have.

        A collection that shrinks keeps its type down to half the limit, so that one whose size is
        near a limit is not rebuilt again and again.
        """
        if self.embedded:
            return IndexType.FLAT
        if self.choice != "auto":
            return IndexType(self.choice.upper())
        by_size = self._by_size(images)
        if by_size is not present and self._by_size(2 * images) is present:
            return present
        return by_size

    def _by_size(self, images: int) -> IndexType:
        if images <= self.max_flat:
            return IndexType.FLAT
        return IndexType.HNSW if images <= MAX_IN_MEMORY else IndexType.IVF_SQ8

    def is_overgrown(self, images: int) -> bool:
        """Return true if a collection is too large for an embedded index."""
        return self.embedded and images > self.max_embedded

    @property
    def advice(self) -> str:
        """The advice to the operator about a collection that is too large."""
        limit = f"{self.embedded_name} serves up to {self.max_embedded} images well"
        return f"{limit}; use a Milvus server"
