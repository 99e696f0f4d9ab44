from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from onnx import TensorProto, helper, numpy_helper

from bento_service.descriptors.model import NETWORK_FILES
from bento_service.descriptors.onnx_engine import OnnxEngine
from bento_service.descriptors.pooling import pooled
from bento_service.descriptors.version import DESCRIPTORS
from model_build.quantised import quantised_network
from model_build.weights import LAYERS, Vgg16Weights
from tests.model_build.conftest import SIDE

MEAN = np.array([123.68, 116.779, 103.939])  # red, green, blue
LEVELS = 127
OUTPUTS = [*DESCRIPTORS, "conv4_3", "conv5_3"]


@pytest.fixture(scope="module")
def model(weights, small_versions, ranges):
    return quantised_network(weights, small_versions, ranges)


@pytest.fixture(scope="module")
def images():
    """Smooth ones, with bright and dark borders."""
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE
    first = np.stack([np.sin(5 * across), np.cos(7 * down), np.sin(4 * across * down)], axis=-1)
    return np.stack([255 * (first + 1) / 2, 255 * (1 - first) / 2]).astype(np.uint8)


def constants_of(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.fixture(scope="module")
def constants(model):
    return constants_of(model)


def dequantised(constants, layer):
    """Return a layer's kernel and bias as it uses them, in double precision."""
    scales = constants[f"{layer}.weight.scales"].astype(np.float64)
    bias_scales = constants[f"{layer}.bias.scales"].astype(np.float64)
    kernel = constants[f"{layer}.weight.int8"] * scales[:, None, None, None]
    return kernel, constants[f"{layer}.bias.int32"] * bias_scales


def convolved(planes, kernel, bias):
    return F.conv2d(torch.tensor(planes), torch.tensor(kernel), torch.tensor(bias), padding=1)


def four_planes(images):
    planes = images.transpose(0, 3, 1, 2).astype(np.float64)
    return np.concatenate([planes, np.full_like(planes[:, :1], 255)], axis=1)


def taps_by_hand(constants, images):
    """The whole network in whole numbers, written out: each layer's sums, rounded to 0..255."""
    current, step, taps = four_planes(images), 1.0, {}
    for number, layer in enumerate(LAYERS, start=1):
        kernel, bias = dequantised(constants, layer)
        sums = convolved(current * step, kernel, bias).numpy()
        step = float(constants[f"{layer}.step"])
        current = np.clip(np.rint(sums / step), 0, 255)
        if number in (10, 13):
            taps["conv4_3" if number == 10 else "conv5_3"] = current * step
        if number in (2, 4, 7, 10):
            current = F.max_pool2d(torch.tensor(current), 2).numpy()
    return taps


def run(model, names, images, *, as_written=False):
    options = onnxruntime.SessionOptions()
    if as_written:
        off = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.graph_optimization_level = off
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(names, {"images": images})


def test_the_first_layer_is_a_convolution_of_the_bytes_and_a_constant_plane(
    model, constants, images
):
    """Outside of the picture all four planes are zero, as the convolution pads them."""
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    wider.graph.output.append(helper.make_tensor_value_info(LAYERS[0], TensorProto.FLOAT, None))
    (found,) = run(wider, [LAYERS[0]], images, as_written=True)
    kernel, bias = dequantised(constants, LAYERS[0])
    expected = convolved(four_planes(images), kernel, bias).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_constant_plane_subtracts_the_mean_also_at_the_borders(weights, constants, images):
    """Apart from rounding to whole levels, which is measured apart from it here."""
    first = weights.convolutions[0]
    exact = first.kernel.astype(np.float64)
    centred = images.transpose(0, 3, 1, 2) - MEAN[:, None, None]
    bias = first.bias.astype(np.float64)
    expected = convolved(centred, exact, bias)

    plane = -np.einsum("oihw,i->ohw", exact, MEAN)[:, None] / 255
    with_plane = np.concatenate([exact, plane], axis=1)
    found = convolved(four_planes(images), with_plane, bias)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)

    kernel, _ = dequantised(constants, LAYERS[0])
    scales = constants[f"{LAYERS[0]}.weight.scales"][:, None, None, None]
    assert (np.abs(kernel - with_plane) <= 0.5001 * scales).all()


def test_the_mean_picture_is_as_good_as_nothing_in_the_middle_and_at_the_borders(
    weights, constants
):
    """Only the bias comes out; with the mean in the bias a corner would be 400 off."""
    mean_picture = np.broadcast_to(np.rint(MEAN).astype(np.uint8), (1, SIDE, SIDE, 3))
    kernel, bias = dequantised(constants, LAYERS[0])
    found = convolved(four_planes(mean_picture), kernel, bias).numpy()[0]
    off = np.abs(found - weights.convolutions[0].bias[:, None, None])
    assert off[:, 1:-1, 1:-1].max() < 1
    assert off.max() < 5  # there the rounded weights of the planes do not cancel as well


@pytest.mark.parametrize("layer", LAYERS)
def test_every_output_channel_has_a_scale_of_its_own_and_uses_all_levels(weights, constants, layer):
    levels = constants[f"{layer}.weight.int8"]
    scales = constants[f"{layer}.weight.scales"]
    outputs = len(levels)
    assert levels.dtype == np.int8
    assert scales.shape == (outputs,)
    assert len(set(scales.tolist())) > outputs // 2
    np.testing.assert_array_equal(np.abs(levels.astype(int)).reshape(outputs, -1).max(1), LEVELS)
    if layer != LAYERS[0]:
        kernel = weights.arrays()[f"{layer}.weight"].astype(np.float64)
        error = np.abs(levels * scales[:, None, None, None].astype(np.float64) - kernel)
        assert (error <= 0.5001 * scales[:, None, None, None]).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_biases_are_on_the_scale_of_the_sums_that_they_are_added_to(constants, layer):
    place = LAYERS.index(layer)
    step = constants[f"{LAYERS[place - 1]}.step"] if place else np.float32(1)
    bias = constants[f"{layer}.bias.int32"]
    assert bias.dtype == np.int32
    np.testing.assert_allclose(
        constants[f"{layer}.bias.scales"], constants[f"{layer}.weight.scales"] * step, rtol=1e-6
    )
    assert np.abs(bias.astype(np.int64)).max() < 2**24  # far from overflowing with the sums


@pytest.mark.parametrize("layer", LAYERS)
def test_rounding_the_weights_does_not_shift_a_layers_mean_output(
    weights, constants, ranges, layer
):
    """The mean output of a layer equals that in full precision."""
    arrays = weights.arrays()
    means = np.array(ranges.means[layer])
    expected = np.einsum("oihw,i->o", arrays[f"{layer}.weight"].astype(np.float64), means)
    expected = expected + arrays[f"{layer}.bias"]
    kernel, bias = dequantised(constants, layer)
    inputs = np.append(means + MEAN, 255) if layer == LAYERS[0] else means
    found = np.einsum("oihw,i->o", kernel, inputs) + bias
    half_a_level = 0.5 * constants[f"{layer}.bias.scales"].astype(np.float64)
    assert (np.abs(found - expected) <= half_a_level * 1.01 + 1e-4).all()


def test_everything_is_zero_where_its_byte_is_zero(model, constants):
    """Zeros around a picture, which convolutions add, then need no special case."""
    quantising = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert len(quantising) == 13
    assert {node.input[2] for node in quantising} == {"zero"}
    assert constants["zero"].dtype == np.uint8
    assert constants["zero"] == 0
    of_weights = [
        node
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0].endswith((".int8", ".int32"))
    ]
    assert len(of_weights) == 26
    assert all(len(node.input) == 2 for node in of_weights)  # without one, a zero point is 0


@pytest.mark.parametrize(("layer", "tap"), [("features.21", "conv4_3"), ("features.28", "conv5_3")])
def test_activations_beyond_their_range_are_clipped_and_negative_ones_are_zero(
    weights, small_versions, ranges, images, layer, tap
):
    most = ranges.maxima[layer] / 100
    maxima = ranges.maxima | {layer: most}
    narrow = ranges.model_copy(update={"maxima": maxima})
    model = quantised_network(weights, small_versions, narrow)
    (maps,) = run(model, [tap], images)
    assert maps.min() == 0
    np.testing.assert_allclose(maps.max(), most, rtol=1e-6)
    steps = maps / np.float32(most / 255)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)


def test_the_scale_belongs_to_the_first_kernel(weights, small_versions, ranges, constants):
    """Half the input and twice the kernel are the same network."""
    halved = [
        version.model_copy(
            update={"preprocessing": version.preprocessing.model_copy(update={"scale": 0.5})}
        )
        for version in small_versions
    ]
    first = f"{LAYERS[0]}.weight"
    doubled = weights.arrays() | {first: 2 * weights.arrays()[first]}
    means = ranges.means | {LAYERS[0]: tuple(0.5 * mean for mean in ranges.means[LAYERS[0]])}
    found = constants_of(
        quantised_network(
            Vgg16Weights.of_arrays(doubled, "a test"),
            halved,
            ranges.model_copy(update={"means": means}),
        )
    )
    assert found.keys() == constants.keys()
    for name, array in constants.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_engine_computes_the_sums_of_whole_numbers(model, constants, images, tmp_path):
    """Also where the processor's fast products of bytes would overflow."""
    (tmp_path / "small.onnx").write_bytes(model.SerializeToString())
    engine = OnnxEngine(tmp_path / "small.onnx", "int8", threads=1)
    expected = taps_by_hand(constants, images)
    found = engine.outputs(images, list(expected))
    for tap, layer in (("conv4_3", "features.21"), ("conv5_3", "features.28")):
        off = np.abs(found[tap] - expected[tap]) / constants[f"{layer}.step"]
        assert (off < 0.01).mean() > 0.999  # a sum between two levels may be rounded either way


def test_descriptors_are_pooled_from_the_taps(model, small_versions, images):
    found = dict(zip(OUTPUTS, run(model, OUTPUTS, images), strict=True))
    for version in small_versions:
        expected = pooled(version.pooling, found)
        np.testing.assert_allclose(found[version.name], expected, atol=2e-6)


def test_every_convolution_runs_in_8_bits(converted, tmp_path):
    """onnxruntime has to recognise the pattern; what it does not is computed in fp32, slowly."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        converted / NETWORK_FILES["int8"], options, providers=["CPUExecutionProvider"]
    )
    optimised = onnx.load_model(tmp_path / "optimised.onnx")
    count = Counter(node.op_type for node in optimised.graph.node)
    assert count["QLinearConv"] == 13
    assert count["Conv"] == count["FusedConv"] == count["QuantizeLinear"] == 0
