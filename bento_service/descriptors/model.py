"""Images in, descriptors out: what every engine does, and how a model's folder becomes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.golden import GOLDEN_FILE, MIN_COSINE, GoldenVectors
from bento_service.descriptors.version import (
    DescriptorName,
    DescriptorVersion,
    Precision,
    read_versions,
)
from bento_service.errors import NotReady

WEIGHTS_FILE = "weights.safetensors"
"""The convolutions in a model's folder, by torchvision's names."""
NETWORK_FILES: dict[Precision, str] = {"fp32": "vgg16-fp32.onnx", "int8": "vgg16-int8.onnx"}
"""The networks in a model's folder: input `images`, outputs by the descriptors' names."""


class Engine(Protocol):
    """Describes images on some hardware in some precision."""

    name: str
    precision: Precision

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe a batch by the chosen descriptor.

        Args:
            images: (N, S, S, 3) uint8, RGB, S the version's size.

        Returns:
            (N, D) float32, each row of unit length.

        Raises:
            InvalidArgument: The array has another shape or type.
        """
        ...

    def outputs(
        self, images: NDArray[np.uint8], names: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Describe a batch by several descriptors, from one run of the convolutions.

        Args:
            images: As for `describe`.
            names: Of the descriptors, such as `vgg16-mac`.

        Returns:
            By name, (N, D) float32, each row of unit length.

        Raises:
            InvalidArgument: The array has another shape or type.
        """
        ...


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes:
        engine: Computes.
        version: Of the chosen descriptor.
        versions: Of all descriptors that one run of the convolutions gives, that one included.
    """

    engine: Engine
    version: DescriptorVersion
    versions: tuple[DescriptorVersion, ...]

    @classmethod
    def load(cls, folder: Path, choice: Choice, *, threads: int) -> Self:
        """Load a model folder and check it against its golden vectors.

        Args:
            folder: What `python -m model_build` published.
            choice: Which of its descriptors to compute, on what, and in which precision.
            threads: How many cores one batch may use.

        Raises:
            NotReady: The folder lacks that version, or the engine does not reproduce the golden
                vectors of every descriptor on this machine.
        """
        versions = find_versions(folder, choice)
        model = cls(_engine(folder, versions, choice, threads), versions[0], versions)
        golden = [GoldenVectors.load(folder / GOLDEN_FILE, version) for version in versions]
        given = model.engine.outputs(golden[0].pictures, [version.name for version in versions])
        for expected in golden:
            worst = expected.worst_cosine(given[expected.version.name])
            if not worst >= MIN_COSINE:  # so that NaN fails too
                raise _not_reproduced(expected.version, choice, folder, worst)
        return model

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe a batch by every version.

        Args:
            images: (N, S, S, 3) uint8, RGB, S the versions' size.

        Returns:
            (N, sum of all D) float32: the unit vectors of `versions`, one after the other.

        Raises:
            InvalidArgument: The array has another shape or type.
        """
        given = self.engine.outputs(images, [version.name for version in self.versions])
        return np.concatenate([given[version.name] for version in self.versions], axis=1)


def find_versions(folder: Path, choice: Choice) -> tuple[DescriptorVersion, ...]:
    """The versions that are computed together, the chosen one first.

    They are those of the chosen precision that take the same pixels.

    Raises:
        NotReady: See `find_version`.
    """
    chosen = find_version(folder, choice.descriptor, choice.precision)
    others = (
        version
        for version in read_versions(folder)
        if version.precision == chosen.precision
        and version.preprocessing == chosen.preprocessing
        and version != chosen
    )
    return (chosen, *others)


def find_version(
    folder: Path, descriptor: DescriptorName, precision: Precision
) -> DescriptorVersion:
    """The version of that name and precision in a model's folder.

    Raises:
        NotReady: There is none, or another release made the folder.
    """
    try:
        versions = read_versions(folder)
    except (FileNotFoundError, ValidationError) as error:
        raise NotReady(
            f"the model {folder.name} was made by another release; build it again with "
            "`python -m model_build`"
        ) from error
    for version in versions:
        if (version.name, version.precision) == (descriptor, precision):
            return version
    known = ", ".join(f"{version.name} in {version.precision}" for version in versions)
    raise NotReady(
        f"the model {folder.name} has no {descriptor} in {precision}, but {known}; build it again "
        "with `python -m model_build`, or set LOOKALIKE_DESCRIPTOR and LOOKALIKE_PRECISION"
    )


def _not_reproduced(
    version: DescriptorVersion, choice: Choice, folder: Path, worst: float
) -> NotReady:
    return NotReady(
        f"{version.name} in {version.precision} by {choice.engine} does not reproduce the golden "
        f"vectors of {folder.name} here: cosine {worst:.5f}, at least {MIN_COSINE} is needed; set "
        "LOOKALIKE_PRECISION=fp32, or build the model again with `python -m model_build`"
    )


def _engine(
    folder: Path, versions: tuple[DescriptorVersion, ...], choice: Choice, threads: int
) -> Engine:
    # Each library is loaded only where it runs.
    if choice.engine == "torch":
        from bento_service.descriptors.torch_engine import TorchEngine

        return TorchEngine(folder / WEIGHTS_FILE, versions, on_gpu=choice.on_gpu, threads=threads)
    from bento_service.descriptors.onnx_engine import OnnxEngine

    return OnnxEngine(
        folder / NETWORK_FILES[choice.precision],
        descriptor=choice.descriptor,
        precision=choice.precision,
        threads=threads,
    )
