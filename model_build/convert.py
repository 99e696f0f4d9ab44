"""From weights to the file that the service runs, and the proof that both compute the same."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bento_service.vision.descriptor_version import DescriptorVersion
from bento_service.vision.engine import OnnxEngine
from bento_service.vision.golden import MIN_COSINE, cosines
from model_build.errors import ConversionWrong
from model_build.network import network
from model_build.photographs import CHECKED, photographs
from model_build.weights import Vgg16Weights


@dataclass(frozen=True)
class Comparison:
    """How well a converted network agrees with PyTorch.

    Attributes:
        mean_cosine: Over the photographs.
        min_cosine: Of the worst one.
        photographs: How many.
    """

    mean_cosine: float
    min_cosine: float
    photographs: int


def convert(weights: Vgg16Weights, version: DescriptorVersion, target: Path) -> None:
    """Write the network as ONNX; the same weights and version give the same bytes."""
    target.write_bytes(network(weights, version).SerializeToString(deterministic=True))


def check(
    target: Path, weights: Vgg16Weights, version: DescriptorVersion, *, threads: int
) -> Comparison:
    """Compare the written network with PyTorch on photographs.

    Raises:
        ConversionWrong: It computes something else on at least one of them.
    """
    from model_build.reference import reference_descriptors

    pictures = photographs(CHECKED, side=version.preprocessing.size)
    engine = OnnxEngine(target, threads=threads, precision=version.precision)
    converted = np.concatenate([engine.describe(picture[None]) for picture in pictures])
    expected = reference_descriptors(weights, version, pictures)
    similarities = cosines(expected, converted)
    comparison = Comparison(
        mean_cosine=float(similarities.mean()),
        min_cosine=float(similarities.min()),
        photographs=len(similarities),
    )
    if not comparison.min_cosine >= MIN_COSINE:  # so that NaN fails too
        worst = CHECKED[int(np.argmin(similarities))]
        raise ConversionWrong(
            f"the converted network disagrees with PyTorch: cosine {comparison.min_cosine:.5f} on "
            f"{worst}, {MIN_COSINE} is needed; nothing was published, please report this with the "
            "versions of torch, onnx and onnxruntime"
        )
    return comparison
