"""Runs the saved network: images in, descriptors out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bento_service.errors import InvalidArgument, NotReady
from bento_service.vision.descriptor_version import VERSION_FILE, DescriptorVersion
from bento_service.vision.golden import MIN_COSINE, GoldenVectors

NETWORK_FILE = "descriptor.onnx"
"""The network in a model's folder: input `images`, output `descriptors`, pooling inside."""
GOLDEN_FILE = "golden.npz"


class Engine(Protocol):
    """Describes images on some hardware in some precision."""

    name: str
    precision: str

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe a batch.

        Args:
            images: (N, S, S, 3) uint8, RGB, S the version's size.

        Returns:
            (N, D) float32, each row of unit length.

        Raises:
            InvalidArgument: The array has another shape or type.
        """
        ...


class OnnxEngine:
    """The network through onnxruntime on the CPU."""

    name = "onnxruntime"

    def __init__(self, network: Path, *, threads: int, precision: str) -> None:
        """Load the network.

        Args:
            network: An ONNX file with input `images` and output `descriptors`.
            threads: How many cores one batch may use.
            precision: Of the arithmetic, for people.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.precision = precision
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self._shape: Sequence[Any] = self._session.get_inputs()[0].shape[1:]

    def describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Describe a batch; see `Engine.describe`."""
        if images.dtype != np.uint8 or list(images.shape[1:]) != list(self._shape):
            raise InvalidArgument(
                f"images are {images.dtype} {images.shape}; send uint8 (N, "
                f"{', '.join(map(str, self._shape))})"
            )
        (descriptors,) = self._session.run(["descriptors"], {"images": images})
        return np.asarray(descriptors, dtype=np.float32)


@dataclass(frozen=True)
class Model:
    """A loaded model: the engine and the version of the descriptors that it computes."""

    engine: Engine
    version: DescriptorVersion

    @classmethod
    def load(cls, folder: Path, *, threads: int) -> Self:
        """Load a model folder and check it against its golden vectors.

        Raises:
            NotReady: The engine does not reproduce the golden vectors on this machine.
        """
        version = DescriptorVersion.model_validate_json((folder / VERSION_FILE).read_bytes())
        engine = OnnxEngine(folder / NETWORK_FILE, threads=threads, precision=version.precision)
        golden = GoldenVectors.load(folder / GOLDEN_FILE)
        worst = golden.worst_cosine(engine.describe(golden.pictures))
        if not worst >= MIN_COSINE:  # so that NaN fails too
            raise NotReady(
                f"the model in {folder.name} does not reproduce its golden vectors here: cosine "
                f"{worst:.5f}, at least {MIN_COSINE} is needed; build it again with "
                "`python -m model_build`"
            )
        return cls(engine=engine, version=version)
