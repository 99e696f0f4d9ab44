"""The engine for OpenVINO, which uses the matrix units of newer Intel processors (AMX).

It reads the 8-bit network that onnxruntime reads too. It computes the first convolution in fp32 and
rounds ties differently, so its descriptors are close to those of onnxruntime (a mean cosine of
0.9999) but not equal. They have a precision, and so a fingerprint, of their own.
"""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bento_service.descriptors.images import check_images
from bento_service.descriptors.version import Precision

# OpenVINO's import reports its use to the internet through this package, and does without it.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402

_PICTURES_A_RUN = 2
"""More pictures in a run are not faster, and memory grows by 25 MB with each."""


class OpenVinoEngine:
    """An engine for the 8-bit network.

    Args:
        network: An ONNX file with the input `images` and outputs named like the descriptors.
        names: The descriptors to compute.
        threads: The number of cores that one batch may use.
    """

    name = "openvino"
    precision: Precision = "int8_openvino"

    def __init__(self, network: Path, names: Sequence[str], *, threads: int) -> None:
        core = openvino.Core()
        model = core.read_model(network)
        results = {name: _result(model, name) for name in names}
        self._names = list(names)
        compiled = core.compile_model(
            openvino.Model(list(results.values()), model.get_parameters()),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32",  # of what is not quantised; bf16 otherwise
                "ENABLE_CPU_PINNING": False,  # other processes use the same cores
            },
        )
        self._shape = _sizes(compiled.input(0))
        self._dimensions = [_sizes(output) for output in compiled.outputs]
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()  # a request serves one caller at a time

    def outputs(
        self, images: NDArray[np.uint8], names: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Describe a batch by several descriptors; see `Engine.outputs`."""
        check_images(images, self._shape)
        with self._lock:
            runs = [
                self._run(images[at : at + _PICTURES_A_RUN])
                for at in range(0, len(images), _PICTURES_A_RUN)
            ] or [[np.empty((0, *sizes), np.float32) for sizes in self._dimensions]]
        joined = dict(zip(self._names, map(np.concatenate, zip(*runs, strict=True)), strict=True))
        return {name: joined[name] for name in names}

    def _run(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        outputs = self._request.infer({0: np.ascontiguousarray(images)})
        return [outputs[at].copy() for at in range(len(self._names))]


def _sizes(port: Any) -> list[int]:
    """Return the sizes of an input or output, without the first, which varies."""
    return [size.get_length() for size in list(port.partial_shape)[1:]]


def _result(model: Any, name: str) -> Any:
    """Return the node of a model that gives the output of this name."""
    return next(node for node in model.get_results() if name in node.input_value(0).get_names())
