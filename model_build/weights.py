"""The thirteen published convolutions of VGG16 (Simonyan and Zisserman, arXiv:1409.1556)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from model_build.errors import WeightsRefused

PUBLISHED_DIGEST = "25d244c5fdb86c278c3442bce00783954c822e6564e34bea523f31bddfdcc4d1"
"""Digest of the weights as published, without rounding."""

CONVOLUTIONS_OF_BLOCK = (2, 2, 3, 3, 3)
"""Number of convolutions before each of the five poolings."""

LAYERS = tuple(f"features.{place}" for place in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))
"""torchvision's names of the convolutions; its numbers include ReLUs and poolings."""

BLOCKS = tuple(
    LAYERS[sum(CONVOLUTIONS_OF_BLOCK[:block]) : sum(CONVOLUTIONS_OF_BLOCK[: block + 1])]
    for block in range(len(CONVOLUTIONS_OF_BLOCK))
)
"""The same names by block."""

_PLANES = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


@dataclass(frozen=True, eq=False)
class Convolution:
    """A 3 x 3 convolution with one pixel of zero padding.

    Attributes:
        kernel: (O, I, 3, 3) float32.
        bias: (O,) float32.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Vgg16Weights:
    """All thirteen convolutions in order; the first takes red, green, blue planes.

    Attributes:
        convolutions: Kernels for an input on the 0..255 scale after the mean is subtracted.
        source: A readable name of their origin.
    """

    convolutions: tuple[Convolution, ...]
    source: str

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], source: str) -> Self:
        """Return the weights of arrays named as in torchvision, `features.0.weight`; ignore others.

        Raises:
            WeightsRefused: An array is missing, has another shape, or is not finite.
        """
        return cls(
            convolutions=tuple(
                Convolution(
                    kernel=_checked(arrays, f"{name}.weight", (outputs, inputs, 3, 3), source),
                    bias=_checked(arrays, f"{name}.bias", (outputs,), source),
                )
                for name, inputs, outputs in zip(LAYERS, _PLANES[:-1], _PLANES[1:], strict=True)
            ),
            source=source,
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the kernels and biases by torchvision's names, in order."""
        named: dict[str, NDArray[np.float32]] = {}
        for name, convolution in zip(LAYERS, self.convolutions, strict=True):
            named[f"{name}.weight"] = convolution.kernel
            named[f"{name}.bias"] = convolution.bias
        return named

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) over kernels and biases, little-endian, in order."""
        hasher = hashlib.sha256()
        for array in self.arrays().values():
            hasher.update(np.ascontiguousarray(array, dtype="<f4").data)
        return hasher.hexdigest()


def _checked(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], source: str
) -> NDArray[np.float32]:
    if name not in arrays:
        raise WeightsRefused(f"{source} holds no VGG16: {name} is missing")
    array = arrays[name]
    if array.shape != shape or array.dtype.kind != "f":
        raise WeightsRefused(
            f"{source} holds no VGG16: {name} is {array.dtype} {array.shape}, "
            f"floating-point {shape} is needed"
        )
    if not np.isfinite(array).all():
        raise WeightsRefused(f"{source} holds no VGG16: {name} has values that are not numbers")
    checked = np.array(array, dtype=np.float32, order="C")
    checked.setflags(write=False)
    return checked
