"""What is asked of a search, and what it answers."""

from dataclasses import dataclass

from bento_service.catalogue.records import DescriptorSpace, ImageRecord
from bento_service.filters.expressions import Expression
from bento_service.search.nearest import Way
from bento_service.search.ranking import distance_of


@dataclass(frozen=True)
class Query:
    """What to search and how much to return; see `SearchOptions` of the wire models.

    Attributes:
        which: Only images that pass this filter.
        exact: Compare with every descriptor where the index is approximate.
    """

    collection: str
    top_k: int = 10
    offset: int = 0
    min_score: float | None = None
    which: Expression | None = None
    exact: bool = False


@dataclass(frozen=True)
class Found:
    """An image near to the query, at its place in the whole result, from 1."""

    rank: int
    score: float
    image: ImageRecord

    @property
    def distance(self) -> float:
        """Euclidean distance of the two unit vectors."""
        return distance_of(self.score)


@dataclass(frozen=True)
class Result:
    """The found images, best first, and milliseconds by stage.

    Attributes:
        space: In which they were compared.
        lag: How many changes the index was behind.
        way: How they were found.
        index_type: Of the collection's index; empty where Milvus cannot tell.
    """

    found: tuple[Found, ...]
    warnings: tuple[str, ...]
    decode_ms: float
    describe_ms: float
    search_ms: float
    space: DescriptorSpace
    lag: int
    way: Way
    index_type: str
