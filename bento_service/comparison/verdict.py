"""The verdict on two pictures, and its reasons.

Two pictures are a `duplicate` if they have the same bytes, hashes that differ in few bits, or if
their miniatures show the same when aligned; a `near_duplicate` if only their score is high enough;
otherwise `similar`. `docs/duplicates.md` explains the results and the origin of the thresholds.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bento_service.comparison.alignment import Alignment
from bento_service.descriptors.version import DescriptorVersion, Thresholds
from bento_service.gallery.cosines import Scored
from bento_service.pictures.perceptual_hash import HASH_BITS, Closeness
from client_sdk.schemas.compare import Orientation, Verdict

Lines = Mapping[str, Thresholds]
"""The thresholds of every descriptor version that is computed, by fingerprint."""

_PROPOSING_MARGIN = 0.2
"""The margin below the threshold for near duplicates in which copies are found, such as
those with a banner."""
_CLOSE_DISTANCE, _CLOSE_MARGIN = 12, 0.07
"""The different bits of hashes, and the margin below that threshold, of most copies."""
STRENGTH = (Verdict.SIMILAR, Verdict.NEAR_DUPLICATE, Verdict.DUPLICATE)
"""The verdicts, weakest first."""


@dataclass(frozen=True)
class Likeness(Scored):
    """The likeness of two pictures.

    Attributes:
        cosine: Cosine of their descriptors.
        closeness: The closeness of their hashes; `None` if a picture has none.
        lines: The thresholds of the descriptor version.
        alignment: The alignment of their miniatures; `None` if they were not aligned.
    """

    cosine: float
    same_bytes: bool
    closeness: Closeness | None
    lines: Thresholds
    alignment: Alignment | None = None

    @property
    def is_proposed(self) -> bool:
        """True if the score or the hashes are a reason to align the miniatures."""
        return self.is_close or self.score >= self.lines.near_duplicate - _PROPOSING_MARGIN

    @property
    def is_close(self) -> bool:
        """True if score or hashes come close to those of copies."""
        near_hash = self.closeness is not None and self.closeness.distance <= _CLOSE_DISTANCE
        return near_hash or self.score >= self.lines.near_duplicate - _CLOSE_MARGIN

    @property
    def hash_distance(self) -> int | None:
        """The number of different bits of their hashes, if both have one."""
        return None if self.closeness is None else self.closeness.distance

    @property
    def agreement(self) -> float | None:
        """The share of the detail that is the same, if they were aligned."""
        return None if self.alignment is None else round(self.alignment.agreement, 4)

    @property
    def has_same_hash(self) -> bool:
        """True if the hashes alone make it a duplicate."""
        contradicted = self.alignment is not None and self.alignment.contradicts_hash
        return self.closeness is not None and self.closeness.is_same and not contradicted

    @property
    def orientation(self) -> Orientation | None:
        """The change of the second picture that shows the same as the first, if any does."""
        if self.alignment is not None and self.alignment.is_same:
            return self.alignment.orientation
        return self.closeness.orientation if self.closeness and self.has_same_hash else None

    @property
    def verdict(self) -> Verdict:
        """The strongest verdict that applies."""
        is_aligned = self.alignment is not None and self.alignment.is_same
        if self.same_bytes or self.has_same_hash or is_aligned:
            return Verdict.DUPLICATE
        return by_score(self.score, self.lines)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons for people, the deciding one first."""
        score, hashes, detail = self._about_score(), self._about_hashes(), self._about_detail()
        known = (hashes, *detail, score) if self.has_same_hash else (*detail, score, hashes)
        if self.verdict is not Verdict.DUPLICATE:
            known = (score, *detail, hashes)
        return ("same bytes", *known) if self.same_bytes else known

    def _about_score(self) -> str:
        line = self.lines.near_duplicate
        if self.score >= line:
            return f"score {self.score:.3f}, {Verdict.NEAR_DUPLICATE} from {line:g} on"
        return f"score {self.score:.3f}, below {line:g}"

    def _about_detail(self) -> tuple[str, ...]:
        if self.alignment is None:
            return ()
        text = f"{self.alignment.agreement:.0%} of the detail is the same"
        if not self.alignment.is_same:
            return (f"only {text}",)
        return (text + _turn(self.alignment.orientation),)

    def _about_hashes(self) -> str:
        if self.closeness is None:
            return "pHash says nothing"
        distance = f"pHash {self.closeness.distance}/{HASH_BITS}"
        return distance + (_turn(self.closeness.orientation) if self.has_same_hash else "")


def by_score(score: float, lines: Thresholds) -> Verdict:
    """Return the verdict on two pictures of which only the score is known: never a duplicate."""
    return Verdict.NEAR_DUPLICATE if score >= lines.near_duplicate else Verdict.SIMILAR


def lines_of(versions: Iterable[DescriptorVersion]) -> Lines:
    """Return the thresholds of descriptor versions by fingerprint."""
    return {version.fingerprint: version.thresholds for version in versions}


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the cosine of two vectors (D,); symmetric, and exactly 1 for equal vectors."""
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    lengths = float((wide_a * wide_a).sum()) * float((wide_b * wide_b).sum())
    return float((wide_a * wide_b).sum()) / math.sqrt(lengths)


def _turn(orientation: Orientation) -> str:
    """Describe an orientation, such as `, mirrored and turned by 90 degrees`; empty if upright."""
    if orientation is Orientation.UPRIGHT:
        return ""
    mirrored, turned, degrees = orientation.partition("turned_")
    words = [*(["mirrored"] if "mirrored" in mirrored else [])]
    words += [f"turned by {degrees} degrees"] if turned else []
    return ", " + " and ".join(words)
