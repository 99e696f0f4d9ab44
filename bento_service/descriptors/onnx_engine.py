"""The engine for onnxruntime on the CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bento_service.descriptors.hardware import cpu_facts, has_dot_products
from bento_service.descriptors.images import check_images
from bento_service.descriptors.version import Precision

SLOWER_PRODUCTS = "session.x64quantprecision"
"""onnxruntime's option for 8-bit products that do not overflow on processors without VNNI."""
SPINNING = ("session.intra_op.allow_spinning", "session.inter_op.allow_spinning")
"""onnxruntime's options that let threads spin while they wait for work."""
# Batches do not make fp32 faster, and its feature maps take 50 MB a picture.
_PICTURES_A_RUN: dict[Precision, int] = {"fp32": 1, "int8": 8}


class OnnxEngine:
    """An engine for a saved ONNX network.

    Args:
        network: An ONNX file with the input `images` and outputs named like the descriptors.
        precision: The precision of the network's arithmetic.
        threads: The number of cores that one batch may use.
    """

    name = "onnxruntime"

    def __init__(self, network: Path, precision: Precision, *, threads: int) -> None:
        options = session_options(threads=threads)
        self.precision: Precision = precision
        self._session = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self._shape: Sequence[Any] = self._session.get_inputs()[0].shape[1:]

    def outputs(
        self, images: NDArray[np.uint8], names: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Return several of the network's outputs, also its taps; see `Engine.outputs`."""
        check_images(images, self._shape)
        step = _PICTURES_A_RUN[self.precision]
        runs = [
            self._session.run(list(names), {"images": images[at : at + step]})
            for at in range(0, max(1, len(images)), step)
        ]
        joined = (np.concatenate(outputs) for outputs in zip(*runs, strict=True))
        return dict(zip(names, joined, strict=True))


def session_options(*, threads: int) -> onnxruntime.SessionOptions:
    """Return onnxruntime's options for this machine.

    Without VNNI, the fast products of unsigned and signed bytes overflow, so the slower ones are
    used. With VNNI they do not overflow, and the slower ones take nearly three times as long.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for entry in SPINNING:  # no gain under load, and it blocks a core between runs
        options.add_session_config_entry(entry, "0")
    if not has_dot_products(cpu_facts()):
        options.add_session_config_entry(SLOWER_PRODUCTS, "1")
    return options
