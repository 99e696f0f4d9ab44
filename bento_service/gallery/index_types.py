"""The kinds of index that Milvus builds over descriptors, and which one a collection should have.

The bounds come from `python -m benchmarks.index`; docs/performance.md has the table.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MAX_NEIGHBOURS = 16_384
"""The most that a Milvus server returns for one query."""
TIERS = (128, 1024, MAX_NEIGHBOURS)
"""So many neighbours an approximate index is asked for, one after the other.

What it returns depends on how many are asked for. Asked always for the same numbers, it gives every
page of a result the same neighbours.
"""
MAX_FLAT = 20_000
"""Images that a server compares one by one, before an approximate index is worth its memory."""
MAX_IN_MEMORY = 5_000_000
"""Images that HNSW holds in memory, 2.5 KB each; beyond them IVF_SQ8 takes half of that."""
MAX_LITE = 50_000
"""Images that Milvus Lite serves well: every search costs it as much as there are images."""

Choice = Literal["auto", "flat", "hnsw", "ivf_sq8", "diskann"]
"""What the setting says."""


class IndexType(StrEnum):
    """The kinds, by Milvus' own names."""

    FLAT = "FLAT"
    HNSW = "HNSW"
    IVF_SQ8 = "IVF_SQ8"
    DISKANN = "DISKANN"

    @property
    def is_exact(self) -> bool:
        """Whether every descriptor is compared."""
        return self is IndexType.FLAT

    @property
    def has_exact_scores(self) -> bool:
        """Whether a found neighbour's score is the cosine, and not that of rounded descriptors."""
        return self is not IndexType.IVF_SQ8

    @property
    def default_effort(self) -> int:
        """How much a search looks at, unless the operator says otherwise.

        Candidates of HNSW (`ef`) and of DISKANN (`search_list`), lists of IVF_SQ8 (`nprobe`).
        """
        # A million in HNSW needs 256 for a recall of 0.99; fewer cost hardly more than with 128.
        return {IndexType.HNSW: 256, IndexType.IVF_SQ8: 64}.get(self, TIERS[0])

    def build_params(self) -> dict[str, int]:
        """What Milvus is told when it builds one."""
        match self:
            case IndexType.HNSW:
                return {"M": 16, "efConstruction": 200}
            case IndexType.IVF_SQ8:
                return {"nlist": 1024}
            case _:
                return {}

    def search_params(self, top_k: int, effort: int | None) -> dict[str, int]:
        """What Milvus is told when it searches for `top_k` neighbours."""
        effort = effort or self.default_effort
        match self:
            case IndexType.HNSW:
                return {"ef": max(effort, top_k)}
            case IndexType.IVF_SQ8:
                return {"nprobe": min(effort, 1024)}
            case IndexType.DISKANN:
                return {"search_list": max(effort, top_k)}
            case _:
                return {}


@dataclass(frozen=True)
class IndexRule:
    """Which index a collection should have.

    Attributes:
        choice: What the operator says.
        embedded: Whether an embedded index is used, on which only exact search is worth anything.
        by: What that is, for people.
        most: Images that it serves well.
    """

    choice: Choice = "auto"
    embedded: bool = True
    by: str = "Milvus Lite"
    most: int = MAX_LITE

    def wanted(self, present: IndexType, images: int) -> IndexType:
        """The kind that a collection of so many images should have.

        One that has outgrown a kind keeps the next one until it is half as large again, so that
        a collection at the bound is not built anew again and again.

        Args:
            present: The one that it has.
            images: How many it holds.
        """
        if self.embedded:
            return IndexType.FLAT
        if self.choice != "auto":
            return IndexType(self.choice.upper())
        by_size = _by_size(images)
        if by_size is not present and _by_size(2 * images) is present:
            return present
        return by_size

    def is_overgrown(self, images: int) -> bool:
        """Whether a collection is larger than what an embedded index serves well."""
        return self.embedded and images > self.most

    @property
    def advice(self) -> str:
        """What to do about a collection that is overgrown."""
        return f"{self.by} serves up to {self.most} images well; use a Milvus server"


def _by_size(images: int) -> IndexType:
    if images <= MAX_FLAT:
        return IndexType.FLAT
    return IndexType.HNSW if images <= MAX_IN_MEMORY else IndexType.IVF_SQ8
