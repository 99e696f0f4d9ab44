"""The score and the distance that are shown for the cosine of two descriptors."""

import math

SCORE_DIGITS = 6
"""Decimal places of a score; a cosine of float32 vectors has no more."""
_DISTANCE_DIGITS = 4
_EQUAL = 1.0 - 2.0**-22
"""A sum in single precision cannot tell descriptors with a larger cosine from equal ones."""


def score_of(cosine: float) -> float:
    """Return a cosine, rounded to its exact digits and limited to [-1, 1]."""
    return min(1.0, max(-1.0, round(cosine, SCORE_DIGITS)))


def distance_of(cosine: float) -> float:
    """Return the Euclidean distance of two unit vectors, `sqrt(2 - 2 cosine)`, to 4 places."""
    if cosine > _EQUAL:
        return 0.0
    return round(math.sqrt(2.0 - 2.0 * max(-1.0, cosine)), _DISTANCE_DIGITS)


class Scored:
    """Something with the cosine of two descriptors."""

    cosine: float

    @property
    def score(self) -> float:
        """The cosine as it is shown and compared with thresholds."""
        return score_of(self.cosine)

    @property
    def distance(self) -> float:
        """Euclidean distance of the two unit vectors."""
        return distance_of(self.cosine)
