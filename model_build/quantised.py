"""The network in 8-bit arithmetic: static quantisation with a scale for each output channel.

Activations are unsigned with zero at 0, so that quantising is the ReLU as well. The picture's
bytes are the input, unchanged: the mean enters through a fourth plane, which is
constant inside the picture and zero outside, so the result is exact at the borders too.
The biases correct the shift of each output's mean by the rounding of the kernels (Nagel et
al., arXiv:1906.04721, section 4.2), which halves the error.
Clipping the largest activations, and equalising the channels' ranges (the same paper, section
4.1), were measured and do not help here; see docs/engine.md.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from bento_service.descriptors.version import DescriptorVersion, Preprocessing
from model_build.activation_ranges import ActivationRanges
from model_build.network import TAP_OF_LAYER, convolution, max_pool, model_of, rgb_mean
from model_build.pooling_graph import pooling_graph
from model_build.weights import BLOCKS, LAYERS, Convolution, Vgg16Weights

FULL = 255
"""The constant of the fourth plane; large, so that its weights are small."""
_WEIGHT_LEVELS = 127
_ACTIVATION_LEVELS = 255


def quantised_network(
    weights: Vgg16Weights,
    versions: Sequence[DescriptorVersion],
    ranges: ActivationRanges,
) -> onnx.ModelProto:
    """Return `model_build.network.network` in 8 bits, with pooling and norms in fp32.

    Activations beyond their ranges are clipped.
    """
    nodes = _input()
    constants: dict[str, NDArray[np.generic]] = {
        "pads": np.array([0, 1], np.int64),
        "channels": np.array([3], np.int64),
        "full": np.array(FULL, np.uint8),
        "zero": np.array(0, np.uint8),
        "input.step": np.array(1.0, np.float32),
    }
    current, step = "input", "input.step"
    layers = dict(zip(LAYERS, _with_mean_plane(weights, versions), strict=True))
    means = {layer: np.array(values) for layer, values in ranges.means.items()}
    means[LAYERS[0]] = _of_bytes(means[LAYERS[0]], versions[0].preprocessing)
    for number, block in enumerate(BLOCKS, start=1):
        for layer in block:
            constants[f"{layer}.step"] = np.array(
                ranges.maxima[layer] / _ACTIVATION_LEVELS, np.float32
            )
            constants |= _layer_constants(layer, layers[layer], means[layer], constants[step])
            nodes += _layer(layer, current, step)
            current, step = f"{layer}.quantised", f"{layer}.step"
        if number < len(BLOCKS):
            nodes.append(max_pool(current, f"pool{number}"))
            current = f"pool{number}"
    for layer, tap in TAP_OF_LAYER.items():
        operands = [f"{layer}.quantised", f"{layer}.step", "zero"]
        nodes.append(helper.make_node("DequantizeLinear", operands, [tap]))
    pooling, pooling_constants = pooling_graph(versions)
    return model_of([*nodes, *pooling], constants | pooling_constants, versions)


def _of_bytes(
    input_means: NDArray[np.float64], preprocessing: Preprocessing
) -> NDArray[np.float64]:
    """Return the means of the four planes, from the input means of the fp32 network."""
    return np.append(input_means / preprocessing.scale + rgb_mean(preprocessing), FULL)


def _input() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Pad", ["images", "pads", "full", "channels"], ["four"]),
        helper.make_node("Transpose", ["four"], ["input"], perm=[0, 3, 1, 2]),
    ]


def _layer(layer: str, source: str, step: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("DequantizeLinear", [source, step, "zero"], [f"{layer}.input"]),
        helper.make_node(
            "DequantizeLinear",
            [f"{layer}.weight.int8", f"{layer}.weight.scales"],
            [f"{layer}.weight"],
            axis=0,
        ),
        helper.make_node(
            "DequantizeLinear",
            [f"{layer}.bias.int32", f"{layer}.bias.scales"],
            [f"{layer}.bias"],
            axis=0,
        ),
        convolution(layer, f"{layer}.input"),
        helper.make_node(
            "QuantizeLinear", [layer, f"{layer}.step", "zero"], [f"{layer}.quantised"]
        ),
    ]


def _layer_constants(
    layer: str,
    convolution: Convolution,
    input_means: NDArray[np.float64],
    input_step: NDArray[np.generic],
) -> dict[str, NDArray[np.generic]]:
    """Return a layer's quantised kernel and bias, with their scales by output channel."""
    kernel = convolution.kernel.astype(np.float64)
    largest = np.abs(kernel).max(axis=(1, 2, 3))
    weight_scales = np.maximum(largest / _WEIGHT_LEVELS, 1e-12).astype(np.float32)
    bias_scales = (weight_scales * input_step).astype(np.float32)
    levels = np.rint(kernel / weight_scales[:, None, None, None])
    error = levels * weight_scales[:, None, None, None] - kernel
    shift = np.einsum("oihw,i->o", error, input_means)
    bias = np.rint((convolution.bias - shift) / bias_scales)
    return {
        f"{layer}.weight.int8": levels.astype(np.int8),
        f"{layer}.weight.scales": weight_scales,
        f"{layer}.bias.int32": bias.astype(np.int32),
        f"{layer}.bias.scales": bias_scales,
    }


def _with_mean_plane(
    weights: Vgg16Weights, versions: Sequence[DescriptorVersion]
) -> tuple[Convolution, ...]:
    """Return the convolutions, the first with a fourth input plane that subtracts the mean."""
    preprocessing = versions[0].preprocessing
    first, *others = weights.convolutions
    kernel = first.kernel * np.float32(preprocessing.scale)
    plane = -np.einsum("oihw,i->ohw", kernel, rgb_mean(preprocessing)) / np.float32(FULL)
    with_plane = np.concatenate([kernel, plane[:, None]], axis=1)
    return (Convolution(with_plane, first.bias), *others)
