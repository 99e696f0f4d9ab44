"""Conversion of weights to the files that the service runs, and comparison with PyTorch."""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray

from bento_service.descriptors.golden import MIN_COSINE, cosines
from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE
from bento_service.descriptors.onnx_engine import OnnxEngine
from bento_service.descriptors.pooling import pooled
from bento_service.descriptors.version import DescriptorVersion, Precision
from model_build.activation_ranges import ActivationRanges
from model_build.errors import ConversionWrong
from model_build.golden import golden_vectors
from model_build.network import TAPS, network
from model_build.photographs import CHECKED, photographs
from model_build.quantised import quantised_network
from model_build.weights import Vgg16Weights

_LIMITS: dict[Precision, tuple[float, float]] = {
    "fp32": (MIN_COSINE, MIN_COSINE),
    "int8": (0.999, 0.997),
}
"""Required mean and lowest cosine."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of one output of a converted network with PyTorch.

    Attributes:
        output: A descriptor or a tap.
        worst: The photograph with the lowest cosine.
    """

    output: str
    precision: Precision
    mean_cosine: float
    min_cosine: float
    worst: str


def convert(
    weights: Vgg16Weights,
    versions: Sequence[DescriptorVersion],
    ranges: ActivationRanges,
    folder: Path,
) -> None:
    """Write the weights and the networks; equal arguments give equal bytes."""
    safetensors.numpy.save_file(weights.arrays(), folder / WEIGHTS_FILE)
    named = {version.name: version for version in versions}  # pooling is the same in each precision
    exact = network(weights, list(named.values()))
    _keep_outside(exact, folder / WEIGHTS_FILE)
    quantised = quantised_network(weights, list(named.values()), ranges)
    models: dict[Precision, onnx.ModelProto] = {"fp32": exact, "int8": quantised}
    for precision, model in models.items():
        content = model.SerializeToString(deterministic=True)
        (folder / NETWORK_FILES[precision]).write_bytes(content)


def check(
    folder: Path, weights: Vgg16Weights, versions: Sequence[DescriptorVersion], *, threads: int
) -> tuple[Agreement, ...]:
    """Compare the written networks with PyTorch on photographs, at the taps and at the end.

    Raises:
        ConversionWrong: A network disagrees.
    """
    from model_build.reference import reference_taps

    pictures = photographs(CHECKED, versions[0].preprocessing)
    taps = reference_taps(weights, versions[0].preprocessing, pictures)
    expected = taps | {version.name: pooled(version.pooling, taps) for version in versions}
    return _agreements(folder, versions, pictures, expected, threads=threads)


def has_pytorch() -> bool:
    """Return true if PyTorch is installed."""
    return all(importlib.util.find_spec(name) for name in ("torch", "torchvision"))


def check_by_golden(
    folder: Path, versions: Sequence[DescriptorVersion], *, threads: int
) -> tuple[Agreement, ...]:
    """Compare the written networks with the golden vectors, which PyTorch computed.

    Raises:
        ConversionWrong: A network disagrees.
    """
    named = {version.name: version for version in versions}
    golden = [golden_vectors(version) for version in named.values()]
    expected: dict[str, NDArray[np.float32]] = {
        vectors.version.name: vectors.descriptors for vectors in golden
    }
    return _agreements(folder, versions, golden[0].pictures, expected, threads=threads)


def _agreements(
    folder: Path,
    versions: Sequence[DescriptorVersion],
    pictures: NDArray[np.uint8],
    expected: Mapping[str, NDArray[np.float32]],
    *,
    threads: int,
) -> tuple[Agreement, ...]:
    """Compare the networks of the versions' precisions with the expected outputs, by name."""
    agreements: list[Agreement] = []
    for precision in sorted({version.precision for version in versions} & NETWORK_FILES.keys()):
        engine = OnnxEngine(folder / NETWORK_FILES[precision], precision, threads=threads)
        outputs = engine.outputs(pictures, list(expected))
        agreements += [
            _agreement(name, precision, expected[name], outputs[name]) for name in expected
        ]
    for agreement in agreements:
        _require(agreement)
    return tuple(agreements)


def _agreement(
    output: str,
    precision: Precision,
    expected: NDArray[np.float32],
    converted: NDArray[np.float32],
) -> Agreement:
    rows = expected.reshape(len(expected), -1).astype(np.float64)
    others = converted.reshape(len(converted), -1).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    similarities = cosines(rows / lengths, others / lengths)
    return Agreement(
        output=output,
        precision=precision,
        mean_cosine=float(similarities.mean()),
        min_cosine=float(similarities.min()),
        worst=CHECKED[int(np.argmin(similarities))],
    )


def _require(agreement: Agreement) -> None:
    mean, lowest = _LIMITS[agreement.precision]
    if output_is_tap := agreement.output in TAPS:
        mean, lowest = min(mean, 0.998), min(lowest, 0.996)
    if not (agreement.mean_cosine >= mean and agreement.min_cosine >= lowest):  # NaN fails too
        kind = "feature map" if output_is_tap else "descriptor"
        raise ConversionWrong(
            f"the converted network disagrees with PyTorch: {kind} {agreement.output} in "
            f"{agreement.precision} has a mean cosine of {agreement.mean_cosine:.5f} ({mean} is "
            f"needed) and {agreement.min_cosine:.5f} on {agreement.worst} ({lowest} is needed); "
            "nothing was published, please report this with the versions of torch, onnx and "
            "onnxruntime"
        )


def _keep_outside(model: onnx.ModelProto, weights_file: Path) -> None:
    """Refer to the weights of the safetensors file, so that they are stored once."""
    with weights_file.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    for tensor in model.graph.initializer:
        if tensor.name not in header:
            continue
        begin, end = header[tensor.name]["data_offsets"]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        place = {
            "location": weights_file.name,
            "offset": 8 + header_bytes + begin,
            "length": end - begin,
        }
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
