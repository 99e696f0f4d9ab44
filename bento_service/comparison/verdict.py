"""The verdict on two pictures, and its reasons.

Two pictures are a `duplicate` if they have the same bytes, hashes that differ in few bits, or a
score from the descriptor's first threshold on; a `near_duplicate` if their score is from the second
threshold on; otherwise `similar`. `docs/duplicates.md` explains the results and the origin of
the thresholds.
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
"""The thresholds of every descriptor version that is computed, by fingerprint."""

STRENGTH = (Verdict.SIMILAR, Verdict.NEAR_DUPLICATE, Verdict.DUPLICATE)
"""The verdicts, weakest first."""


@dataclass(frozen=True)
class Likeness:
    """The likeness of two pictures.

    Attributes:
        score: Cosine of their descriptors.
        same_bytes: True if their files are equal.
        closeness: The closeness of their hashes; `None` if a picture has none.
        lines: The thresholds of the descriptor version.
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
        """True if the hashes alone make it a duplicate."""
        return self.closeness is not None and self.closeness.is_same

    @property
    def verdict(self) -> Verdict:
        """The strongest verdict that applies."""
        if self.same_bytes or self.has_same_hash or self.score >= self.lines.duplicate:
            return Verdict.DUPLICATE
        if self.score >= self.lines.near_duplicate:
            return Verdict.NEAR_DUPLICATE
        return Verdict.SIMILAR

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons for people, the deciding one first."""
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
        orientation = self.closeness.orientation
        distance = f"pHash {self.closeness.distance}/{HASH_BITS}"
        if orientation is Orientation.UPRIGHT or not self.closeness.is_same:
            return distance
        return f"{distance}, {_in_words(orientation)}"


def lines_of(versions: Iterable[DescriptorVersion]) -> Lines:
    """Return the thresholds of descriptor versions by fingerprint."""
    return {version.fingerprint: version.thresholds for version in versions}


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the cosine of two vectors (D,); symmetric, and exactly 1 for equal vectors."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    lengths = float((wide_a * wide_a).sum()) * float((wide_b * wide_b).sum())
    return presentable(float((wide_a * wide_b).sum()) / math.sqrt(lengths))


def _in_words(orientation: Orientation) -> str:
    """Describe an orientation, such as `mirrored and turned by 90 degrees`."""
    mirrored, _, degrees = orientation.rpartition("turned_")
    turned = f"turned by {degrees} degrees" if degrees.isdigit() else ""
    if not turned:
        return str(orientation)
    return f"mirrored and {turned}" if mirrored else turned
