"""The query of a search, and its result."""

from dataclasses import dataclass

from bento_service.catalogue.records import DescriptorSpace, ImageRecord
from bento_service.filters.expressions import Expression
from bento_service.gallery.index_types import IndexType
from bento_service.search.nearest import SearchMethod
from bento_service.search.ranking import distance_of


@dataclass(frozen=True)
class Query:
    """The options of a search; see `SearchOptions` of the wire models.

    Attributes:
        which: Return only images that pass this filter.
        exact: Compare with every descriptor if the index is approximate.
    """

    collection: str
    top_k: int = 10
    offset: int = 0
    min_score: float | None = None
    which: Expression | None = None
    exact: bool = False


@dataclass(frozen=True)
class RankedImage:
    """An image near to the query; `rank` counts from 1 over all pages."""

    rank: int
    score: float
    image: ImageRecord

    @property
    def distance(self) -> float:
        """Euclidean distance of the two unit vectors."""
        return distance_of(self.score)


@dataclass(frozen=True)
class SearchResult:
    """The hits of a search, best first, and the milliseconds of each stage.

    Attributes:
        space: The descriptor space in which images were compared.
        lag: Number of changes that the index had not applied.
        method: The method by which the hits were found.
        index_type: Type of the collection's index; empty if the index does not answer.
        warnings: Warnings about the query picture.
    """

    hits: tuple[RankedImage, ...]
    space: DescriptorSpace
    lag: int
    method: SearchMethod
    index_type: str
    warnings: tuple[str, ...] = ()
    decode_ms: float = 0.0
    describe_ms: float = 0.0
    search_ms: float = 0.0

    def explanation(self) -> dict[str, object]:
        """Explain for people how the hits were found."""
        compared = self.method in (SearchMethod.ALL_COMPARED, SearchMethod.PASSING_COMPARED)
        return {
            "index_type": self.index_type,
            "exact": compared or self.index_type == IndexType.FLAT,
            "way": str(self.method),
            "changes_beside_the_index": self.lag,
            "descriptor": self.space.descriptor,
            "fingerprint": self.space.fingerprint,
        }
