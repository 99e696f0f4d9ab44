"""VGG16 up to pool5 with pooling and norm, as an ONNX graph.

The graph is built operator by operator instead of being traced: so the same weights give the same
bytes, whatever version of PyTorch is installed, and nothing of the machine gets into the file.

The mean is subtracted inside the graph. Folding it into the first convolution's bias would be
wrong at the borders, where the convolution sees zeros that mean "average colour".
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bento_service.vision.descriptor_version import DescriptorVersion
from model_build.weights import CONVOLUTIONS_OF_BLOCK, LAYERS, Vgg16Weights

_OPSET = 18
_IR_VERSION = 9  # goes with opset 18 to 20; every onnxruntime that we accept reads it


def network(weights: Vgg16Weights, version: DescriptorVersion) -> onnx.ModelProto:
    """The whole way from pixels to descriptors.

    Args:
        weights: The convolutions.
        version: Whose preprocessing, pooling and norm are built in.

    Returns:
        A model with the input `images`, (N, S, S, 3) uint8 RGB, and the output `descriptors`,
        (N, D) float32, rows of unit length. N is free.
    """
    side, dimension = version.preprocessing.size, version.dimension
    (tap,) = version.pooling.taps
    graph = helper.make_graph(
        nodes=[*_preprocessing(), *_convolutions(), *_pooling(tap)],
        name=version.name,
        inputs=[helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", side, side, 3])],
        outputs=[helper.make_tensor_value_info("descriptors", TensorProto.FLOAT, ["N", dimension])],
        initializer=[
            numpy_helper.from_array(array, name)
            for name, array in (_constants(version) | weights.arrays()).items()
        ],
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="",
    )


def _preprocessing() -> list[onnx.NodeProto]:
    """Bytes to planes, the mean subtracted; moving bytes is cheaper than moving floats."""
    return [
        helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["samples"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["samples", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["input"]),
    ]


def _convolutions() -> list[onnx.NodeProto]:
    """The five blocks; their outputs are called `pool1` to `pool5`."""
    nodes: list[onnx.NodeProto] = []
    layers = iter(LAYERS)
    current = "input"
    for block, convolutions in enumerate(CONVOLUTIONS_OF_BLOCK, start=1):
        for layer in (next(layers) for _ in range(convolutions)):
            operands = [current, f"{layer}.weight", f"{layer}.bias"]
            nodes += [
                helper.make_node("Conv", operands, [layer], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
                helper.make_node("Relu", [layer], [f"{layer}.relu"]),
            ]
            current = f"{layer}.relu"
        pooled = f"pool{block}"
        nodes.append(
            helper.make_node("MaxPool", [current], [pooled], kernel_shape=[2, 2], strides=[2, 2])
        )
        current = pooled
    return nodes


def _pooling(tap: str) -> list[onnx.NodeProto]:
    """The same definitions as `bento_service.vision.pooling`."""
    return [
        helper.make_node("GlobalMaxPool", [tap], ["maxima"]),
        helper.make_node("Flatten", ["maxima"], ["mac"], axis=1),
        helper.make_node("ReduceL2", ["mac", "axes"], ["lengths"], keepdims=1),
        helper.make_node("Max", ["lengths", "eps"], ["divisors"]),
        helper.make_node("Div", ["mac", "divisors"], ["descriptors"]),
    ]


def _constants(version: DescriptorVersion) -> dict[str, NDArray[np.generic]]:
    preprocessing = version.preprocessing
    # Images come as RGB and the kernels take RGB, so the mean is put in that order and no plane is
    # moved: the sums are the same.
    mean = [preprocessing.mean[preprocessing.channel_order.index(colour)] for colour in "RGB"]
    return {
        "mean": np.array(mean, np.float32).reshape(1, 3, 1, 1),
        "scale": np.array(preprocessing.scale, np.float32),
        "axes": np.array([1], np.int64),
        "eps": np.array(version.pooling.eps, np.float32),
    }
