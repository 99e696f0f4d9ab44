"""Models that compute descriptors of images: the engines' interface and loading from a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bento_service.descriptors.choice import Choice
from bento_service.descriptors.golden import GOLDEN_FILE, GoldenVectors
from bento_service.descriptors.version import (
    DescriptorName,
    DescriptorVersion,
    Precision,
    read_versions,
)
from bento_service.errors import NotReady

WEIGHTS_FILE = "weights.safetensors"
"""The file of the convolutions in a model's folder, with torchvision's names."""
NETWORK_FILES: dict[Precision, str] = {"fp32": "vgg16-fp32.onnx", "int8": "vgg16-int8.onnx"}
"""The network files in a model's folder: input `images`, outputs named like the descriptors."""

TAG_FILE = "model_tag.txt"
"""The file with the tag of a model outside of BentoML's store. It is written last, so a folder that
has it is complete."""


class Engine(Protocol):
    """The interface of engines, each for certain hardware and one precision."""

    name: str
    precision: Precision

    def outputs(
        self, images: NDArray[np.uint8], names: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Describe a batch by several descriptors, from one run of the convolutions.

        Args:
            images: (N, S, S, 3) uint8, RGB, where S is the version's size.
            names: The names of the descriptors, such as `vgg16-mac`.

        Returns:
            For each name, (N, D) float32, each row of unit length.

        Raises:
            InvalidArgument: The array has another shape or type.
        """


@dataclass(frozen=True)
class Model:
    """A loaded model.

    Attributes:
        engine: The engine that computes the descriptors.
        versions: The versions of all descriptors that one run of the convolutions gives, the
            chosen one first.
    """

    engine: Engine
    versions: tuple[DescriptorVersion, ...]

    @property
    def version(self) -> DescriptorVersion:
        """The version of the chosen descriptor."""
        return self.versions[0]

    @classmethod
    def load(cls, folder: Path, choice: Choice, *, threads: int) -> Self:
        """Load a folder that `python -m model_build` wrote, and check its golden vectors.

        A batch may use `threads` cores.

        Raises:
            NotReady: The folder lacks that version, or the engine does not reproduce the golden
                vectors of every descriptor on this machine.
        """
        versions = find_versions(folder, choice)
        model = cls(_engine(folder, versions, choice, threads), versions)
        golden = [GoldenVectors.load(folder / GOLDEN_FILE, version) for version in versions]
        given = model.engine.outputs(golden[0].pictures, [version.name for version in versions])
        for expected in golden:
            worst = expected.worst_cosine(given[expected.version.name])
            if not worst >= expected.least_cosine:  # `not >=`, because NaN must fail too
                raise _not_reproduced(expected, choice, folder, worst)
        return model

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the unit vectors of all `versions`, concatenated; see `Engine.outputs`."""
        given = self.engine.outputs(images, [version.name for version in self.versions])
        return np.concatenate([given[version.name] for version in self.versions], axis=1)


def read_tag(folder: Path) -> str:
    """Return the tag of a model outside of BentoML's store, or raise `FileNotFoundError`."""
    return (folder / TAG_FILE).read_text().strip()


def find_versions(folder: Path, choice: Choice) -> tuple[DescriptorVersion, ...]:
    """Return the versions that are computed together, the chosen one first.

    They have the chosen precision and the same preprocessing.

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
    """Return the version with this name and precision from a model's folder.

    Raises:
        NotReady: The folder has no such version, or another release wrote it.
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


def _not_reproduced(golden: GoldenVectors, choice: Choice, folder: Path, worst: float) -> NotReady:
    return NotReady(
        f"{golden.version.name} in {golden.version.precision} by {choice.engine} does not "
        f"reproduce the golden vectors of {folder.name} here: cosine {worst:.5f}, at least "
        f"{golden.least_cosine} is needed; set LOOKALIKE_PRECISION=fp32, or build the model again "
        "with `python -m model_build`"
    )


def _engine(
    folder: Path, versions: tuple[DescriptorVersion, ...], choice: Choice, threads: int
) -> Engine:
    # Each library is imported only if its engine is chosen.
    if choice.engine == "torch":
        from bento_service.descriptors.torch_engine import TorchEngine

        return TorchEngine(folder / WEIGHTS_FILE, versions, on_gpu=choice.on_gpu, threads=threads)
    if choice.engine == "openvino":
        from bento_service.descriptors.openvino_engine import OpenVinoEngine

        names = [version.name for version in versions]
        return OpenVinoEngine(folder / NETWORK_FILES["int8"], names, threads=threads)
    from bento_service.descriptors.onnx_engine import OnnxEngine

    return OnnxEngine(folder / NETWORK_FILES[choice.precision], choice.precision, threads=threads)
