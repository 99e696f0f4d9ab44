"""The work that a user would run instead of the service: from files on disk to descriptors.

    python -m benchmarks.alternatives KIND FOLDER

`KIND` is `torch` for PyTorch's VGG16 in batches of 32, `imagededup` for the CNN encoding of that
package with its usual network, MobileNetV3 small, or `imagededup-vgg16` for the same with VGG16.
All networks have random weights, which does not change their speed. The script prints the seconds
and the CPU seconds, without the start of Python and the loading of the network. It runs in a
process of its own, perhaps with another Python, and needs only what the kind imports.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision

_SIDE, _BATCH = 224, 32


def main() -> None:
    """Describe the files of the folder twice, and print the seconds of the second time."""
    kind, folder = sys.argv[1:]
    describe = _KINDS[kind]()
    describe(Path(folder))  # the first run allocates memory
    began, used = time.perf_counter(), time.process_time()
    describe(Path(folder))
    print(time.perf_counter() - began, time.process_time() - used)


def _by_torch() -> Callable[[Path], object]:
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor

    network = _flat(torchvision.models.vgg16(weights=None).features, torch.nn.AdaptiveMaxPool2d(1))

    def pixels(file: Path) -> Any:
        with Image.open(file) as picture:
            return pil_to_tensor(picture.convert("RGB").resize((_SIDE, _SIDE))).float() - 117.0

    def describe(folder: Path) -> None:
        files = sorted(folder.iterdir())
        with torch.inference_mode():
            for at in range(0, len(files), _BATCH):
                network(torch.stack([pixels(file) for file in files[at : at + _BATCH]]))

    return describe


def _by_imagededup() -> Callable[[Path], object]:
    network = torchvision.models.mobilenet_v3_small(weights=None)
    return _encoded_by(_flat(network.features, network.avgpool))


def _by_imagededup_with_vgg16() -> Callable[[Path], object]:
    network = torchvision.models.vgg16(weights=None)
    return _encoded_by(_flat(network.features, torch.nn.AdaptiveMaxPool2d(1)))


def _encoded_by(network: Any) -> Callable[[Path], object]:
    from imagededup.methods import CNN
    from imagededup.utils.models import CustomModel, MobilenetV3

    encoder = CNN(
        verbose=False,
        model_config=CustomModel("random", network, MobilenetV3.transform),
    )
    return lambda folder: encoder.encode_images(image_dir=folder)


def _flat(*layers: Any) -> Any:
    network = torch.nn.Sequential(*layers, torch.nn.Flatten())
    return network.eval().to(memory_format=torch.channels_last)


_KINDS = {
    "torch": _by_torch,
    "imagededup": _by_imagededup,
    "imagededup-vgg16": _by_imagededup_with_vgg16,
}


if __name__ == "__main__":
    main()
