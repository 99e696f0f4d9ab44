"""The verdicts on the hits of a search, by the rules that `Comparer` and `Duplicates` have too."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bento_service.catalogue import Catalogue
from bento_service.comparison.alignment import Pair, align
from bento_service.comparison.stored_prints import closeness_by_id, stored_prints
from bento_service.comparison.verdict import Likeness, Lines, by_score
from bento_service.descriptors.version import Thresholds
from bento_service.search.query import QueryPicture, RankedImage, SearchResult
from bento_service.storage.digests import whole_digest
from client_sdk.schemas.compare import Verdict

CONFIRMED_HITS = 8
"""The best hits of a result that are compared by bytes, hashes and miniatures.

An alignment takes 3 to 8 ms, so hits of lower ranks have the verdict of their score alone.
"""
_ALIGNED = 1
"""The best hits that are aligned although neither their scores nor their hashes are close.

Most searches have such hits, and a second alignment would take longer than the rest of a search.
"""


@dataclass(frozen=True)
class HitVerdicts:
    """The verdicts on the hits of searches, a `Judge`."""

    catalogue: Catalogue
    lines: Lines

    def __call__(self, result: SearchResult, query: QueryPicture | int | None) -> SearchResult:
        """Return a result with the verdict on each of its hits."""
        lines = self.lines[result.space.fingerprint]
        best = [hit for hit in result.hits if hit.rank <= CONFIRMED_HITS]
        confirmed = {} if query is None else self._confirmed(best, query, lines)
        hits = (
            replace(hit, verdict=confirmed.get(hit.image.id, by_score(hit.score, lines)))
            for hit in result.hits
        )
        return replace(result, hits=tuple(hits))

    def _confirmed(
        self, hits: Sequence[RankedImage], query: QueryPicture | int, lines: Thresholds
    ) -> dict[int, Verdict]:
        """Return the verdicts on hits that bytes, hashes or miniatures may decide."""
        same = _with_same_bytes(hits, query)
        others = {
            hit.image.id: Likeness(hit.cosine, same_bytes=False, closeness=None, lines=lines)
            for hit in hits
            if hit.image.id != same
        }
        verdicts = {} if same is None else {same: Verdict.DUPLICATE}
        if any(likeness.is_proposed for likeness in others.values()):
            compared = self._compared(others, query)
            verdicts |= {image_id: likeness.verdict for image_id, likeness in compared.items()}
        return verdicts

    def _compared(
        self, likenesses: Mapping[int, Likeness], query: QueryPicture | int
    ) -> dict[int, Likeness]:
        """Compare hashes, and align the miniatures of hits that may be copies."""
        own = [query] if isinstance(query, int) else []
        prints = stored_prints(self.catalogue, [*likenesses, *own])
        if isinstance(query, int):
            first, fixed = prints.pop(query, (None, None))
        else:
            first, fixed = query.prints
        closeness = closeness_by_id(first, {other: each for other, (each, _) in prints.items()})
        compared = {
            image_id: replace(likeness, closeness=closeness.get(image_id))
            for image_id, likeness in likenesses.items()
        }
        if fixed is None:
            return compared
        small = {
            image_id: moving
            for image_id in _proposed(compared)
            if (moving := prints.get(image_id, (None, None))[1]) is not None
        }
        pairs = [Pair(fixed, moving, closeness.get(other)) for other, moving in small.items()]
        for image_id, alignment in zip(small, align(pairs), strict=True):
            compared[image_id] = replace(compared[image_id], alignment=alignment)
        return compared


def _proposed(likenesses: Mapping[int, Likeness]) -> list[int]:
    """Return the images that are close, and the best of the others that may be copies."""
    close = [image_id for image_id, likeness in likenesses.items() if likeness.is_close]
    rest = [image_id for image_id, likeness in likenesses.items() if likeness.is_proposed]
    return close + [image_id for image_id in rest if image_id not in close][:_ALIGNED]


def _with_same_bytes(hits: Sequence[RankedImage], query: QueryPicture | int) -> int | None:
    """Return the id of the hit with the bytes of the query; a collection has at most one."""
    if isinstance(query, int):
        return query
    if query.file is None:
        return None
    size = query.file.seek(0, os.SEEK_END)
    likely = [hit.image for hit in hits if hit.image.bytes == size]
    digest = whole_digest(query.file) if likely else ""
    return next((image.id for image in likely if image.sha256 == digest), None)
