"""Conversion of weights to the files that the service runs, and comparison with PyTorch."""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import safetensors.numpy
from numpy.typing import NDArray

from bento_service.descriptors.golden import MIN_COSINE
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
        precision: The network's precision.
        mean_cosine: Mean cosine over the photographs.
        min_cosine: Lowest cosine of a photograph.
        worst: The name of that photograph.
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

    padding = {version.preprocessing.padding for version in versions}
    agreements: list[Agreement] = []
    for colour in sorted(padding, key=str):
        alike = [version for version in versions if version.preprocessing.padding == colour]
        pictures = photographs(CHECKED, alike[0].preprocessing)
        expected = reference_taps(weights, alike[0].preprocessing, pictures)
        wanted = dict(expected) | {v.name: pooled(v.pooling, expected) for v in alike}
        for precision in sorted({version.precision for version in alike} & NETWORK_FILES.keys()):
            engine = OnnxEngine(
                folder / NETWORK_FILES[precision],
                descriptor=alike[0].name,
                precision=precision,
                threads=threads,
            )
            got = engine.outputs(pictures, list(wanted))
            agreements += [_agreement(name, precision, wanted[name], got[name]) for name in wanted]
    for agreement in agreements:
        _insist(agreement)
    return tuple(agreements)


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
    agreements: list[Agreement] = []
    for precision, file in NETWORK_FILES.items():
        alike = [golden_vectors(one) for one in versions if one.precision == precision]
        names = [golden.version.name for golden in alike]
        engine = OnnxEngine(
            folder / file, descriptor=names[0], precision=precision, threads=threads
        )
        got = engine.outputs(alike[0].pictures, names)
        agreements += [
            _agreement(name, precision, golden.descriptors, got[name])
            for name, golden in zip(names, alike, strict=True)
        ]
    for agreement in agreements:
        _insist(agreement)
    return tuple(agreements)


def _agreement(
    output: str,
    precision: Precision,
    expected: NDArray[np.float32],
    converted: NDArray[np.float32],
) -> Agreement:
    rows = expected.reshape(len(expected), -1).astype(np.float64)
    others = converted.reshape(len(converted), -1).astype(np.float64)
    # 1 - |a - b|² / 2 is the cosine of unit vectors, and smaller if the lengths differ.
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = 1.0 - (((rows - others) / lengths) ** 2).sum(axis=1) / 2.0
    return Agreement(
        output=output,
        precision=precision,
        mean_cosine=float(cosines.mean()),
        min_cosine=float(cosines.min()),
        worst=CHECKED[int(np.argmin(cosines))],
    )


def _insist(agreement: Agreement) -> None:
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
