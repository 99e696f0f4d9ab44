"""What two pictures are to each other, and why: the rule of the three words.

The same bytes, hashes that differ in few bits, or a score over the descriptor's first line make a
`duplicate`; a score over its second line a `near_duplicate`; everything else is `similar`. What it
finds, what it is blind to and where the lines come from is in `docs/duplicates.md`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.version import DescriptorVersion, Thresholds
from bento_service.pictures.perceptual_hash import HASH_BITS, Closeness
from bento_service.search.ranking import distance_of, presentable
from client_sdk.schemas.compare import Orientation, Verdict

Lines = Mapping[str, Thresholds]
"""The lines of every descriptor version that is computed, by fingerprint."""

STRENGTH = (Verdict.SIMILAR, Verdict.NEAR_DUPLICATE, Verdict.DUPLICATE)
"""The words from the weakest on."""


@dataclass(frozen=True)
class Likeness:
    """How alike two pictures are.

    Attributes:
        score: Cosine of their descriptors.
        same_bytes: Whether their files are equal.
        closeness: Of their hashes; none where one of them has none.
        lines: Of the descriptor version.
    """

    score: float
    same_bytes: bool
    closeness: Closeness | None
    lines: Thresholds

    @property
    def distance(self) -> float:
        """Euclidean distance of the two unit vectors."""
        return distance_of(self.score)

    @property
    def has_same_hash(self) -> bool:
        """Whether the hashes alone say that it is the same picture."""
        return self.closeness is not None and self.closeness.is_same

    @property
    def verdict(self) -> Verdict:
        """The word for it."""
        if self.same_bytes or self.has_same_hash or self.score >= self.lines.duplicate:
            return Verdict.DUPLICATE
        if self.score >= self.lines.near_duplicate:
            return Verdict.NEAR_DUPLICATE
        return Verdict.SIMILAR

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, for people; what decided comes first."""
        score, hashes = self._about_score(), self._about_hashes()
        by_hash = self.has_same_hash and self.score < self.lines.duplicate
        known = (hashes, score) if by_hash else (score, hashes)
        return ("same bytes", *known) if self.same_bytes else known

    def _about_score(self) -> str:
        for name, line in (
            (Verdict.DUPLICATE, self.lines.duplicate),
            (Verdict.NEAR_DUPLICATE, self.lines.near_duplicate),
        ):
            if self.score >= line:
                return f"score {self.score:.3f}, {name} from {line:g} on"
        return f"score {self.score:.3f}, below {self.lines.near_duplicate:g}"

    def _about_hashes(self) -> str:
        if self.closeness is None:
            return "pHash says nothing"
        lies = self.closeness.orientation
        told = f"pHash {self.closeness.distance}/{HASH_BITS}"
        if lies is Orientation.UPRIGHT or not self.closeness.is_same:
            return told
        return f"{told}, {_in_words(lies)}"


def lines_of(versions: Iterable[DescriptorVersion]) -> Lines:
    """The lines of versions by fingerprint."""
    return {version.fingerprint: version.thresholds for version in versions}


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Of two vectors (D,) of about unit length; exactly the same both ways, and 1 of equal ones."""
    one, other = a.astype(np.float64), b.astype(np.float64)
    lengths = float((one * one).sum()) * float((other * other).sum())
    return presentable(float((one * other).sum()) / math.sqrt(lengths))


def _in_words(orientation: Orientation) -> str:
    """Such as `mirrored and turned by 90 degrees`."""
    mirrored, _, degrees = orientation.rpartition("turned_")
    turned = f"turned by {degrees} degrees" if degrees.isdigit() else ""
    if not turned:
        return str(orientation)
    return f"mirrored and {turned}" if mirrored else turned
