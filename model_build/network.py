"""VGG16 up to conv5_3 with all descriptors' pooling, as an ONNX graph in fp32.

The graph is built operator by operator instead of being traced, so that equal weights give equal
bytes with every version of PyTorch and on every machine.

The mean is subtracted inside the graph. Folding it into the first convolution's bias would be
wrong at the borders, where the convolution sees zeros that mean "average colour".
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bento_service.descriptors.version import DescriptorVersion, Preprocessing
from model_build.pooling_graph import PIXELS_A_PLACE, pooling_graph
from model_build.weights import BLOCKS, Vgg16Weights

OPSET = 18
IR_VERSION = 9  # for opsets 18 to 20; every supported onnxruntime reads it

TAP_OF_LAYER = {"features.21": "conv4_3", "features.28": "conv5_3"}
"""The layers whose rectified outputs are pooled, with the names of these outputs."""
TAPS = tuple(TAP_OF_LAYER.values())


def network(weights: Vgg16Weights, versions: Sequence[DescriptorVersion]) -> onnx.ModelProto:
    """Return the network from pixels to descriptors of versions with one mean, scale and size.

    It has the input `images`, (N, S, S, 3) uint8 RGB, an output by the name of each version,
    (N, D) float32, rows of unit length, and the taps, (N, C, H, W) float32. N is free. onnxruntime
    computes all outputs in each run; all poolings together are under 0.5 % of a run.
    """
    nodes, constants = pooling_graph(versions)
    preprocessing = versions[0].preprocessing
    return model_of(
        [*_preprocessing(), *_convolutions(), *nodes],
        _constants(preprocessing) | weights.arrays() | constants,
        versions,
    )


def model_of(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, NDArray[np.generic]],
    versions: Sequence[DescriptorVersion],
) -> onnx.ModelProto:
    """Return a model with the input `images` and the versions' descriptors as outputs."""
    side = versions[0].preprocessing.size
    graph = helper.make_graph(
        nodes=list(nodes),
        name="vgg16",
        inputs=[helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", side, side, 3])],
        outputs=[
            *(
                helper.make_tensor_value_info(v.name, TensorProto.FLOAT, ["N", v.dimension])
                for v in versions
            ),
            *(_tap_info(tap, side) for tap in TAPS),
        ],
        initializer=[numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="",
    )


def _tap_info(tap: str, image_side: int) -> onnx.ValueInfoProto:
    side = image_side // PIXELS_A_PLACE[tap]
    return helper.make_tensor_value_info(tap, TensorProto.FLOAT, ["N", 512, side, side])


def rgb_mean(preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Return the mean in the order of the kernels' input planes: red, green, blue, (3,) float32.

    Images and kernels are both RGB, so no plane is moved.
    """
    order = preprocessing.channel_order
    return np.array([preprocessing.mean[order.index(colour)] for colour in "RGB"], np.float32)


def _preprocessing() -> list[onnx.NodeProto]:
    """Return the nodes that transpose the bytes, cheaper than floats, and subtract the mean."""
    return [
        helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["samples"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["samples", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["input"]),
    ]


def _convolutions() -> list[onnx.NodeProto]:
    """Return the nodes of the five blocks, with a pooling between them."""
    nodes: list[onnx.NodeProto] = []
    current = "input"
    for number, block in enumerate(BLOCKS, start=1):
        for layer in block:
            rectified = TAP_OF_LAYER.get(layer, f"{layer}.relu")
            nodes += [
                convolution(layer, current),
                helper.make_node("Relu", [layer], [rectified]),
            ]
            current = rectified
        if number < len(BLOCKS):
            nodes.append(max_pool(current, f"pool{number}"))
            current = f"pool{number}"
    return nodes


def convolution(layer: str, source: str) -> onnx.NodeProto:
    """Return a 3 x 3 convolution with one pixel of zero padding."""
    operands = [source, f"{layer}.weight", f"{layer}.bias"]
    return helper.make_node("Conv", operands, [layer], kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def max_pool(source: str, target: str) -> onnx.NodeProto:
    """Return the pooling between two blocks."""
    return helper.make_node("MaxPool", [source], [target], kernel_shape=[2, 2], strides=[2, 2])


def _constants(preprocessing: Preprocessing) -> dict[str, NDArray[np.generic]]:
    return {
        "mean": rgb_mean(preprocessing).reshape(1, 3, 1, 1),
        "scale": np.array(preprocessing.scale, np.float32),
    }
