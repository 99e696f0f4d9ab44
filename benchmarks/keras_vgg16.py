"""The replaced system's descriptors: one picture at a time through Keras' VGG16.

    python -m benchmarks.keras_vgg16 WEIGHTS.npz RESULT.npz FILE...

This script runs in a process of its own, perhaps with another Python, and needs only what the extra
`baseline` installs. `WEIGHTS.npz` contains the result of `keras_arrays`. `RESULT.npz` receives
descriptors (N, 512) by the resampling of `load_img`, `nearest` and `bilinear`, the `seconds` and
`cpu_seconds` that `nearest` took, and `peak_bytes`, the peak memory.
"""

import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 224


def main() -> None:
    """Describe the files; loading TensorFlow and building the network are not timed."""
    weights, result, *files = sys.argv[1:]
    # Imported here, so that the caller of `keras_arrays` needs no TensorFlow.
    from keras.applications.vgg16 import VGG16, preprocess_input
    from keras.utils import img_to_array, load_img

    network = VGG16(weights=None, include_top=False, pooling="max", input_shape=(SIDE, SIDE, 3))
    with np.load(weights) as arrays:
        for layer in network.layers:
            if layer.get_weights():
                layer.set_weights([arrays[f"{layer.name}_kernel"], arrays[f"{layer.name}_bias"]])

    def described(file: str, interpolation: str) -> NDArray[np.float32]:
        pixels = img_to_array(load_img(file, target_size=(SIDE, SIDE), interpolation=interpolation))
        batch = preprocess_input(np.expand_dims(pixels, axis=0))
        (features,) = network.predict(batch, verbose=0)
        unit: NDArray[np.float32] = features / np.linalg.norm(features)
        return unit

    described(files[0], "nearest")  # the first call compiles
    began, used = time.perf_counter(), time.process_time()
    as_replaced = [described(file, "nearest") for file in files]  # load_img's default
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    smooth = [described(file, "bilinear") for file in files]
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.savez(
        Path(result),
        nearest=np.stack(as_replaced),
        bilinear=np.stack(smooth),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_bytes=peak_bytes,
    )


def keras_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Return convolutions with Keras' names and in Keras' order.

    Args:
        arrays: Convolutions by torchvision's names, kernels (O, I, 3, 3); the input channels of the
            first are red, green, blue.

    Returns:
        Kernels (3, 3, I, O) and biases (O,); the input channels of the first kernel are blue,
        green, red.
    """
    kernels = [name for name in arrays if name.endswith(".weight")]
    converted: dict[str, Any] = {}
    for number, name in enumerate(kernels):
        kernel = arrays[name].transpose(2, 3, 1, 0)
        converted[f"{_NAMES[number]}_kernel"] = kernel[:, :, ::-1] if number == 0 else kernel
        converted[f"{_NAMES[number]}_bias"] = arrays[name.replace(".weight", ".bias")]
    return converted


_NAMES = [
    f"block{block}_conv{number}"
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1)
    for number in range(1, convolutions + 1)
]


if __name__ == "__main__":
    main()
