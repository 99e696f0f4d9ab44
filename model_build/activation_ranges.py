"""Activation ranges of each layer on photographs, which 8-bit quantisation needs.

The committed ranges were measured once, on photographs that are not part of this project;
`model_build.calibration` measures them on others.
"""

import hashlib
import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from bento_service.descriptors.version import canonical_json

RANGES_FILE = "activation_ranges.json"
"""The ranges in a model's folder."""

_COMMITTED = Path(__file__).parent / RANGES_FILE


class ActivationRanges(BaseModel):
    """Measurements of each layer, by torchvision's name of the convolution.

    Attributes:
        maxima: The largest activation after its ReLU.
        means: The mean of each of its input planes, over all places and photographs; rounding
            the weights shifts a layer's outputs by what it does to these, which is corrected.
        measured_on: Subject of the photographs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    maxima: dict[str, float]
    means: dict[str, tuple[float, ...]]
    photographs: int
    measured_on: str

    @classmethod
    def committed(cls) -> Self:
        """Return the committed ranges."""
        return cls.model_validate_json(_COMMITTED.read_bytes())

    def save(self, path: Path) -> None:
        """Write the ranges; equal ranges give equal bytes."""
        path.write_text(f"{json.dumps(self.model_dump(mode='json'), indent=1)}\n")

    @property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) over the maxima and the means."""
        measured = self.model_dump(mode="json", include={"maxima", "means"})
        return hashlib.sha256(canonical_json(measured)).hexdigest()
