"""Golden vectors: pictures with the descriptors that every correct build computes for them.

Wrong input conventions fail silently: swapped channels or another mean still give plausible
descriptors, with a few points less ranking quality. Only a comparison with known results shows it.
The same check detects a processor whose 8-bit arithmetic overflows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.version import DescriptorVersion

GOLDEN_FILE = "golden.npz"
"""The golden vectors in a model's folder."""

MIN_COSINE = 0.9999
"""The lowest accepted cosine of a golden picture, on every machine."""
_MIN_COSINE_OPENVINO = 0.999
"""The same for OpenVINO, which is compared with the vectors of onnxruntime."""


@dataclass(frozen=True)
class GoldenVectors:
    """Resized pictures (N, S, S, 3) uint8, RGB, and their descriptors (N, D) of one version."""

    version: DescriptorVersion
    pictures: NDArray[np.uint8]
    descriptors: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path, version: DescriptorVersion) -> Self:
        """Read the golden vectors of a version from a file that `save_golden` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(
                version=version,
                pictures=arrays[_pictures_key(version)],
                descriptors=arrays[_descriptors_key(version)],
            )

    @property
    def least_cosine(self) -> float:
        """The lowest accepted cosine of a picture."""
        is_openvino = self.version.precision == "int8_openvino"
        return _MIN_COSINE_OPENVINO if is_openvino else MIN_COSINE

    def worst_cosine(self, descriptors: NDArray[np.float32]) -> float:
        """Return the lowest cosine between the expected and the given descriptors, both (N, D)."""
        return float(cosines(self.descriptors, descriptors).min())


def save_golden(golden: Iterable[GoldenVectors], path: Path) -> None:
    """Write golden vectors to an `.npz` file; equal vectors give equal bytes."""
    arrays: dict[str, Any] = {}
    for vectors in golden:
        arrays[_pictures_key(vectors.version)] = vectors.pictures
        arrays[_descriptors_key(vectors.version)] = vectors.descriptors
    np.savez(path, **dict(sorted(arrays.items())))


def cosines(
    expected: NDArray[np.floating[Any]], descriptors: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the cosine of each row with the expected row of unit length; both (N, D).

    It is computed as 1 - |a - b|² / 2, which is the cosine of two unit vectors. It is smaller if
    the second has another length, which detects a missing normalisation.
    """
    differences = expected.astype(np.float64) - descriptors
    similarities: NDArray[np.float64] = 1.0 - (differences**2).sum(axis=1) / 2.0
    return similarities


def _pictures_key(version: DescriptorVersion) -> str:
    return "pictures-padded" if version.preprocessing.padding else "pictures-squashed"


def _descriptors_key(version: DescriptorVersion) -> str:
    return f"{version.name}-{version.precision}"
