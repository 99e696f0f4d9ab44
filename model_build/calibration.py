"""Activation ranges of a folder of photographs, for `python -m model_build --calibrate`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tqdm import tqdm

from bento_service.descriptors.version import DescriptorVersion
from bento_service.errors import LookalikeError
from bento_service.settings.cores import usable_cores
from model_build.activation_ranges import ActivationRanges
from model_build.errors import CalibrationFailed
from model_build.network import TAP_OF_LAYER, network
from model_build.photographs import Square
from model_build.weights import LAYERS, Vgg16Weights

_FEWEST = 20


def measure_ranges(
    weights: Vgg16Weights, version: DescriptorVersion, folder: Path, *, fewest: int = _FEWEST
) -> ActivationRanges:
    """Measure the photographs of a folder, preprocessed as by `version`.

    Raises:
        CalibrationFailed: The folder has fewer than `fewest` readable photographs.
    """
    layers = _Layers(weights, version)
    square = Square(version.preprocessing.size, version.preprocessing.padding)
    maxima = np.zeros(len(LAYERS))
    sums = [np.zeros(1)] * len(LAYERS)
    measured = 0
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in tqdm(files, desc="calibrating", unit="photo", disable=None):
        try:
            picture = square(path.read_bytes())
        except (LookalikeError, OSError):
            continue
        largest, means = layers.measured(picture[None])
        maxima = np.maximum(maxima, largest)
        sums = [total + mean for total, mean in zip(sums, means, strict=True)]
        measured += 1
    if measured < fewest:
        raise CalibrationFailed(
            f"{folder} holds {measured} readable photographs; calibrate with at least {fewest}, "
            "better some hundreds of the kind that will be searched"
        )
    return ActivationRanges(
        maxima=dict(zip(LAYERS, _rounded(maxima), strict=True)),
        means=dict(zip(LAYERS, (_rounded(total / measured) for total in sums), strict=True)),
        photographs=measured,
        measured_on=folder.resolve().name,
    )


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Return values rounded to five digits; further digits are noise."""
    return tuple(float(f"{value:.5g}") for value in values)


class _Layers:
    """The fp32 network, returning each layer's largest output and the means of its inputs."""

    def __init__(self, weights: Vgg16Weights, version: DescriptorVersion) -> None:
        model = network(weights, [version])
        graph = model.graph
        source_of = {node.output[0]: node.input[0] for node in graph.node}
        del graph.output[:]
        for layer in LAYERS:
            rectified = TAP_OF_LAYER.get(layer, f"{layer}.relu")
            largest, means = f"{layer}.largest", f"{layer}.means"
            graph.node.extend(
                [
                    helper.make_node("ReduceMax", [rectified], [largest], keepdims=0),
                    helper.make_node("GlobalAveragePool", [source_of[layer]], [means]),
                ]
            )
            for name in (largest, means):
                graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def measured(
        self, picture: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
        """Return the maxima (13,) and for each layer the means of its input planes (C,)."""
        outputs: Sequence[NDArray[np.float32]] = self._session.run(None, {"images": picture})
        maxima = np.array(outputs[0::2], np.float64)
        return maxima, [means.reshape(-1).astype(np.float64) for means in outputs[1::2]]
