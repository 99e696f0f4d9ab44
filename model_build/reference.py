"""Reference feature maps, computed independently of the converted networks.

torchvision's VGG16 with torchvision's published preprocessing: RGB on the scale 0..1, the mean
on that scale, divided by a standard deviation of 1/255.
"""

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torchvision.transforms import functional

from bento_service.descriptors.pooling import pooled
from bento_service.descriptors.version import DescriptorVersion, Preprocessing
from model_build.weights import Vgg16Weights

_PLACE_OF_TAP = {"conv4_3": 22, "conv5_3": 29}
"""The taps' ReLUs among torchvision's layers."""

Taps = dict[str, NDArray[np.float32]]


def reference_taps(
    weights: Vgg16Weights, preprocessing: Preprocessing, pictures: NDArray[np.uint8]
) -> Taps:
    """Compute the rectified feature maps (N, C, H, W) of pictures (N, S, S, 3) with PyTorch."""
    layers = _features(weights)
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    taps: dict[str, list[NDArray[np.float32]]] = {tap: [] for tap in _PLACE_OF_TAP}
    with torch.inference_mode():
        # One at a time: the feature maps of the first block are 13 MB a picture.
        for picture in planes:
            maps = _normalised(picture[None], preprocessing)
            for place, layer in enumerate(layers):
                maps = layer(maps)
                for tap, wanted in _PLACE_OF_TAP.items():
                    if place == wanted:
                        taps[tap].append(maps.numpy().copy())
    return {tap: np.concatenate(each) for tap, each in taps.items()}


def reference_descriptors(
    weights: Vgg16Weights, version: DescriptorVersion, pictures: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Describe pictures with PyTorch; (N, D) float32, rows of unit length."""
    taps = reference_taps(weights, version.preprocessing, pictures)
    return pooled(version.pooling, taps)


def _features(weights: Vgg16Weights) -> torch.nn.Sequential:
    """Return the layers up to pool5, without initialising them randomly first."""
    with torch.device("meta"):
        layers: torch.nn.Sequential = torchvision.models.vgg16(weights=None).features
    state = {
        name.removeprefix("features."): torch.tensor(array)
        for name, array in weights.arrays().items()
    }
    layers.load_state_dict(state, assign=True)
    return layers.eval()


def _normalised(planes: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    mean_of = dict(zip(preprocessing.channel_order, preprocessing.mean, strict=True))
    published = torchvision.models.VGG16_Weights.IMAGENET1K_FEATURES.transforms()
    mean = [mean_of[colour] / 255 for colour in "RGB"]
    normalised: torch.Tensor = functional.normalize(planes, mean=mean, std=published.std)
    return normalised
