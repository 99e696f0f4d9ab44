"""The same descriptors by another way, which shares nothing with the converted network.

torchvision's own VGG16 by torchvision's own published convention: RGB on the scale 0..1, the mean
on that scale, divided by a standard deviation of 1/255.
"""

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torchvision.transforms import functional

from bento_service.vision.descriptor_version import DescriptorVersion
from bento_service.vision.pooling import l2_normalised, mac
from model_build.weights import Vgg16Weights


def reference_descriptors(
    weights: Vgg16Weights, version: DescriptorVersion, pictures: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Describe pictures with PyTorch.

    Args:
        weights: The convolutions.
        version: Whose mean and pooling are meant.
        pictures: (N, S, S, 3) uint8, RGB.

    Returns:
        (N, D) float32, rows of unit length.
    """
    layers = _features(weights)
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        # One at a time: the feature maps of the first block are 13 MB a picture.
        maps = [layers(_normalised(picture[None], version)) for picture in planes]
    feature_maps: NDArray[np.float32] = torch.cat(maps).numpy()
    return l2_normalised(mac(feature_maps), version.pooling.eps)


def _features(weights: Vgg16Weights) -> torch.nn.Module:
    """The layers up to pool5, without drawing random weights for them first."""
    with torch.device("meta"):
        layers: torch.nn.Module = torchvision.models.vgg16(weights=None).features
    state = {
        name.removeprefix("features."): torch.tensor(array)
        for name, array in weights.arrays().items()
    }
    layers.load_state_dict(state, assign=True)
    return layers.eval()


def _normalised(planes: torch.Tensor, version: DescriptorVersion) -> torch.Tensor:
    preprocessing = version.preprocessing
    mean_of = dict(zip(preprocessing.channel_order, preprocessing.mean, strict=True))
    published = torchvision.models.VGG16_Weights.IMAGENET1K_FEATURES.transforms()
    mean = [mean_of[colour] / 255 for colour in "RGB"]
    normalised: torch.Tensor = functional.normalize(planes, mean=mean, std=published.std)
    return normalised
