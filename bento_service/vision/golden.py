"""Golden vectors: pictures with the descriptors that every right build gives for them.

Wrong input conventions fail silently: swapped channels or another mean still give plausible
descriptors that cost a few points of ranking quality. Only comparing with known answers shows it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

MIN_COSINE = 0.9999
"""What every golden picture must reach, on every machine."""


@dataclass(frozen=True)
class GoldenVectors:
    """Pictures and their descriptors.

    Attributes:
        pictures: (N, S, S, 3) uint8, RGB, already resized.
        descriptors: (N, D) float32, unit length.
    """

    pictures: NDArray[np.uint8]
    descriptors: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(pictures=arrays["pictures"], descriptors=arrays["descriptors"])

    def save(self, path: Path) -> None:
        """Write to a `.npz` file; equal vectors give equal bytes."""
        np.savez(path, pictures=self.pictures, descriptors=self.descriptors)

    def worst_cosine(self, descriptors: NDArray[np.float32]) -> float:
        """The lowest cosine between the expected descriptors and these, both (N, D)."""
        return float(cosines(self.descriptors, descriptors).min())


def cosines(expected: NDArray[np.float32], descriptors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine of each row with the expected one, which has unit length; both (N, D).

    It is computed as 1 - |a - b|² / 2, which is the cosine of two unit vectors and less where the
    second has another length, so that a missing normalisation is found too.
    """
    differences = expected.astype(np.float64) - descriptors
    similarities: NDArray[np.float64] = 1.0 - (differences**2).sum(axis=1) / 2.0
    return similarities
