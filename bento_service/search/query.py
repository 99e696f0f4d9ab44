"""The query of a search, and its result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from bento_service.catalogue.records import DescriptorSpace, ImageRecord
from bento_service.filters.expressions import Expression
from bento_service.gallery.cosines import Scored
from bento_service.gallery.gallery import Neighbour
from bento_service.gallery.index_types import IndexType
from bento_service.pictures.miniature import Miniature, prints_of
from bento_service.pictures.perceptual_hash import Hashes
from bento_service.search.nearest import SearchMethod
from bento_service.search.passing import passes
from client_sdk.schemas.compare import Verdict

TIME_DIGITS = 4
"""Decimal places of times in answers, in milliseconds or seconds."""


@dataclass(frozen=True)
class Query:
    """The options of a search; see `SearchOptions` of the wire models.

    Attributes:
        which: Return only images that pass this filter.
    """

    collection: str
    top_k: int = 10
    offset: int = 0
    min_score: float | None = None
    which: Expression | None = None
    exact: bool = False

    def wants(self, hit: Neighbour, image: ImageRecord | None) -> bool:
        """Check a hit as it is shown: images may be deleted or changed during a search."""
        return (
            image is not None
            and (self.min_score is None or hit.score >= self.min_score)
            and (self.which is None or passes(self.which, image))
        )


@dataclass(frozen=True)
class QueryPicture:
    """The picture of a query.

    Attributes:
        pixels: (S, S, 3), the square that is described.
        file: The encoded picture, open and seekable; `None` if only a region is searched with.
    """

    pixels: NDArray[np.uint8]
    file: BinaryIO | None

    @cached_property
    def prints(self) -> tuple[Hashes | None, Miniature]:
        """Its hashes and its miniature; see `prints_of`."""
        return prints_of(self.pixels)


@dataclass(frozen=True)
class RankedImage(Scored):
    """An image near to the query; `rank` counts from 1 over all pages.

    Attributes:
        verdict: The verdict on the query and the image; `None` if the searcher has no judge.
    """

    rank: int
    cosine: float
    image: ImageRecord
    verdict: Verdict | None = None


@dataclass(frozen=True)
class SearchResult:
    """The hits of a search, best first.

    Attributes:
        lag: Number of changes that the index had not applied.
        index_type: Type of the collection's index; empty if the index does not answer.
        warnings: Warnings about the query picture.
        search_ms: Milliseconds of the stages `index` (with the changes that it had not applied),
            `join` (reading the images of the hits) and `judge` (the verdicts) together.
        stages_ms: Milliseconds of each stage that the search went through, by name; further stages
            are `decode`, `describe`, and `queue`, the wait for threads.
    """

    hits: tuple[RankedImage, ...]
    space: DescriptorSpace
    lag: int
    method: SearchMethod
    index_type: str
    warnings: tuple[str, ...] = ()
    search_ms: float = 0.0
    stages_ms: Mapping[str, float] = field(default_factory=dict)

    def with_stages(self, **stages_ms: float) -> Self:
        """Return the result with the times of further stages."""
        return replace(self, stages_ms={**self.stages_ms, **stages_ms})

    def rounded_ms(self, stage: str) -> float:
        """Return the milliseconds of a stage as they are shown; 0 if it was skipped."""
        return round(self.stages_ms.get(stage, 0.0), TIME_DIGITS)

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
            **{f"{name}_ms": self.rounded_ms(name) for name in ("index", "join", "judge", "queue")},
        }


Judge = Callable[[SearchResult, QueryPicture | int | None], SearchResult]
"""Returns a result with verdicts, given the picture or the id of the stored image that was searched
with; `None` for a descriptor."""
