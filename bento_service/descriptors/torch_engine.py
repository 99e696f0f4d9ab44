"""The engine for PyTorch on NVIDIA devices; it also runs on the CPU, slowly.

On a device, the convolutions run in bf16 with channels last, the layout that its matrix units need.
Each batch size is recorded once as a CUDA graph, so that the CPU only replays it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from bento_service.descriptors.images import check_images
from bento_service.descriptors.pooling import GEM_FLOOR, rmac_regions
from bento_service.descriptors.version import DescriptorVersion, Part, Pooling, Precision

# A pooling follows these convolutions, given by their index in torchvision's layers.
_LAST_OF_BLOCK = (2, 7, 14, 21)
_TAP_OF_LAYER = {21: "conv4_3", 28: "conv5_3"}
_RECORDED = (1, 2, 4, 8, 16, 32, 64)

Network = Callable[[torch.Tensor], torch.Tensor]
"""A function from images (N, S, S, 3) uint8 to (N, sum of all D) float32 on one device."""


class TorchEngine:
    """An engine for PyTorch.

    Args:
        weights: A safetensors file with torchvision's names.
        versions: The versions to compute, of one precision.
        on_gpu: Run on the first CUDA device instead of the CPU.
        threads: The number of cores that one batch may use on the CPU.
    """

    name = "torch"

    def __init__(
        self, weights: Path, versions: Sequence[DescriptorVersion], *, on_gpu: bool, threads: int
    ) -> None:
        torch.set_num_threads(threads)
        self.precision: Precision = versions[0].precision
        self._side = versions[0].preprocessing.size
        self._names: list[str] = [version.name for version in versions]
        self._ends = np.cumsum([version.dimension for version in versions])[:-1]
        self._device = torch.device("cuda" if on_gpu else "cpu")
        network = Vgg16(safetensors.torch.load_file(weights), versions).to(self._device)
        with torch.inference_mode():
            self._network: Network = CudaGraphs(network, self._side) if on_gpu else network

    def outputs(
        self, images: NDArray[np.uint8], names: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Describe a batch by several descriptors; see `Engine.outputs`."""
        check_images(images, (self._side, self._side, 3))
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
            joined: NDArray[np.float32] = self._network(pixels).cpu().numpy()
        given = dict(zip(self._names, np.split(joined, self._ends, axis=1), strict=True))
        return {name: given[name] for name in names}


class Vgg16(torch.nn.Module):
    """VGG16 (Simonyan and Zisserman, arXiv:1409.1556) up to conv5_3, followed by poolings.

    The convolutions have torchvision's names, the versions one preprocessing and precision.
    """

    def __init__(
        self, weights: dict[str, torch.Tensor], versions: Sequence[DescriptorVersion]
    ) -> None:
        super().__init__()
        kind = torch.bfloat16 if versions[0].precision == "bf16" else torch.float32
        preprocessing = versions[0].preprocessing
        mean = [preprocessing.mean[preprocessing.channel_order.index(c)] for c in "RGB"]
        self.register_buffer("_mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self._scale = preprocessing.scale
        self._poolings = [version.pooling for version in versions]
        self._kind = kind
        self._places = sorted(int(n.split(".")[1]) for n in weights if n.endswith(".weight"))
        for place in self._places:
            kernel = weights[f"features.{place}.weight"].to(kind)
            self.register_buffer(
                f"_kernel{place}", kernel.contiguous(memory_format=torch.channels_last)
            )
            self.register_buffer(f"_bias{place}", weights[f"features.{place}.bias"].to(kind))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the descriptors (N, sum of all D) float32 of images (N, S, S, 3) uint8."""
        taps = self.taps(images)
        return torch.cat([_descriptors(pooling, taps) for pooling in self._poolings], dim=1)

    def taps(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the feature maps that are pooled, each (N, C, H, W) float32, by name."""
        # The permuted bytes already have the channels-last layout of the convolutions.
        samples = (images.permute(0, 3, 1, 2).float() - self.get_buffer("_mean")) * self._scale
        maps = samples.to(self._kind).contiguous(memory_format=torch.channels_last)
        taps = {}
        for place in self._places:
            kernel, bias = self.get_buffer(f"_kernel{place}"), self.get_buffer(f"_bias{place}")
            maps = F.relu(F.conv2d(maps, kernel, bias, padding=1), inplace=True)
            if place in _TAP_OF_LAYER:
                taps[_TAP_OF_LAYER[place]] = maps.float()
            if place in _LAST_OF_BLOCK:
                maps = F.max_pool2d(maps, 2)
        return taps


class CudaGraphs:
    """A network recorded for some batch sizes; a batch is padded to the next larger size.

    Every size is recorded at the start, so that no query waits for it.
    """

    def __init__(self, network: Vgg16, side: int) -> None:
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self._describe: Network = network
        self._side = side
        pool = torch.cuda.graph_pool_handle()  # shared: only one graph runs at a time
        self._recorded = {size: self._record(size, pool) for size in reversed(_RECORDED)}

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Describe a batch; see `Network`."""
        largest = _RECORDED[-1]
        if len(images) > largest:
            parts = [self(images[at : at + largest]) for at in range(0, len(images), largest)]
            return torch.cat(parts)
        if len(images) == 0:
            return self._describe(images)
        size = next(size for size in _RECORDED if size >= len(images))
        graph, source, target = self._recorded[size]
        source[: len(images)].copy_(images)
        graph.replay()
        return target[: len(images)].clone()

    def _record(
        self, size: int, pool: tuple[int, int]
    ) -> "tuple[torch.cuda.CUDAGraph, torch.Tensor, torch.Tensor]":
        """Return the graph of a batch size, its input tensor and its output tensor."""
        source = torch.zeros((size, self._side, self._side, 3), dtype=torch.uint8, device="cuda")
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # cuDNN must choose its algorithms before the recording
            for _ in range(3):
                self._describe(source)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):  # type: ignore[arg-type]
            target = self._describe(source)
        return graph, source, target


def _descriptors(pooling: Pooling, taps: dict[str, torch.Tensor]) -> torch.Tensor:
    eps = pooling.eps
    parts = [
        part.weight * F.normalize(_pooled(part, taps[part.tap], eps), eps=eps)
        for part in pooling.parts
    ]
    joined = sum(parts) if pooling.joined == "sum" else torch.cat(parts, dim=1)
    return F.normalize(torch.as_tensor(joined), eps=eps)


def _pooled(part: Part, maps: torch.Tensor, eps: float) -> torch.Tensor:
    """Return a pooled part, as defined in `bento_service.descriptors.pooling`."""
    if part.pooling == "mac":
        return maps.amax(dim=(2, 3))
    if part.parameter is None:
        raise ValueError(f"{part.pooling} needs a parameter")
    if part.pooling == "gem":
        powers = maps.clamp(min=GEM_FLOOR).pow(part.parameter)
        return powers.mean(dim=(2, 3)).pow(1.0 / part.parameter)
    return _rmac(maps, part.parameter, eps)


def _rmac(maps: torch.Tensor, levels: int, eps: float) -> torch.Tensor:
    total = maps.new_zeros(maps.shape[:2])
    for size, starts in rmac_regions(maps.shape[2], levels):
        for top in starts:
            for left in starts:
                region = maps[:, :, top : top + size, left : left + size]
                total = total + F.normalize(region.amax(dim=(2, 3)), eps=eps)
    return total
