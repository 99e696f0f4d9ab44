import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from onnx.reference import ReferenceEvaluator

from bento_service.descriptors.version import DESCRIPTORS, Preprocessing
from model_build.network import TAP_OF_LAYER, TAPS, network, rgb_mean
from model_build.weights import LAYERS, Vgg16Weights
from tests.model_build.conftest import SIDE


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def outputs(weights, small_versions, images):
    """Run the network with ONNX's own reference implementation."""
    evaluator = ReferenceEvaluator(network(weights, small_versions))
    names = [output.name for output in evaluator.proto_.graph.output]
    return dict(zip(names, evaluator.run(None, {"images": images}), strict=True))


@pytest.fixture(scope="module")
def by_hand(weights, images):
    """Return both taps in double precision, as the replaced system computes them."""
    blue_green_red = images[..., ::-1].astype(np.float64) - (103.939, 116.779, 123.68)
    maps = torch.tensor(blue_green_red.transpose(0, 3, 1, 2).copy())
    taps = {}
    for number, convolution in enumerate(weights.convolutions, start=1):
        kernel = torch.tensor(convolution.kernel).double()
        if number == 1:
            kernel = kernel.flip(1)
        bias = torch.tensor(convolution.bias).double()
        maps = F.relu(F.conv2d(maps, kernel, bias, padding=1))
        if number in (10, 13):
            taps["conv4_3" if number == 10 else "conv5_3"] = maps.numpy()
        if number in (2, 4, 7, 10):
            maps = F.max_pool2d(maps, 2)
    return taps


def test_the_outputs_are_the_descriptors_and_the_taps(outputs):
    assert list(outputs) == [*DESCRIPTORS, "conv4_3", "conv5_3"]


@pytest.mark.parametrize(("tap", "side"), [("conv4_3", 4), ("conv5_3", 2)])
def test_a_tap_is_what_the_replaced_system_computes(outputs, by_hand, tap, side):
    assert outputs[tap].shape == (1, 512, side, side)
    largest = np.abs(by_hand[tap]).max()
    np.testing.assert_allclose(outputs[tap], by_hand[tap], atol=1e-5 * largest)


def test_the_taps_are_the_last_rectified_maps_before_the_two_last_poolings():
    """torchvision numbers convolutions, ReLUs and poolings through."""
    assert {LAYERS[9]: "conv4_3", LAYERS[12]: "conv5_3"} == TAP_OF_LAYER
    assert TAPS == ("conv4_3", "conv5_3")


def test_the_mean_is_turned_to_the_order_of_the_kernels():
    np.testing.assert_array_equal(
        rgb_mean(Preprocessing()), np.array([123.68, 116.779, 103.939], np.float32)
    )


def test_the_scale_is_applied_after_the_mean(weights, small_versions, images, by_hand):
    preprocessing = small_versions[0].preprocessing.model_copy(update={"scale": 0.5})
    scaled = [small_versions[0].model_copy(update={"preprocessing": preprocessing})]
    first = "features.0.weight"
    arrays = weights.arrays()
    doubled = Vgg16Weights.of_arrays(arrays | {first: 2 * arrays[first]}, "a test")
    (tap,) = ReferenceEvaluator(network(doubled, scaled)).run(["conv4_3"], {"images": images})
    largest = np.abs(by_hand["conv4_3"]).max()
    np.testing.assert_allclose(tap, by_hand["conv4_3"], atol=1e-5 * largest)


def test_one_version_alone_makes_a_network_of_that_one(weights, small_versions):
    for version in small_versions:
        model = network(weights, [version])
        onnx.checker.check_model(model, full_check=True)
        assert [output.name for output in model.graph.output] == [version.name, *TAPS]


def test_equal_arguments_give_equal_networks(weights, small_versions):
    first, second = network(weights, small_versions), network(weights, small_versions)
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(
        deterministic=True
    )
