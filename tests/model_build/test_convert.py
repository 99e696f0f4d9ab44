import re

import numpy as np
import onnx
import pytest

from bento_service.vision.engine import OnnxEngine
from model_build import convert as conversion
from model_build.convert import check, convert
from model_build.errors import ConversionWrong
from model_build.network import network
from model_build.photographs import CHECKED, photographs
from model_build.weights import Vgg16Weights

FEW = ("coffee.png", "motorcycle_left.png")


@pytest.fixture(scope="module")
def engine(network_file) -> OnnxEngine:
    return OnnxEngine(network_file, threads=2, precision="fp32")


@pytest.fixture
def few_photographs(monkeypatch):
    monkeypatch.setattr(conversion, "CHECKED", FEW)


def with_preprocessing(version, **changes):
    preprocessing = version.preprocessing.model_copy(update=changes)
    return version.model_copy(update={"preprocessing": preprocessing})


def with_first_kernel(weights, change):
    arrays = weights.arrays()
    first = "features.0.weight"
    return Vgg16Weights.of_arrays(arrays | {first: change(arrays[first])}, "a test")


def test_the_same_weights_give_the_same_bytes(weights, version, network_file, tmp_path):
    convert(weights, version, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == network_file.read_bytes()


def test_the_network_is_valid_onnx(network_file):
    onnx.checker.check_model(onnx.load_model(network_file), full_check=True)


def test_nothing_of_the_machine_is_in_the_file(network_file):
    model = onnx.load_model(network_file)
    assert not model.metadata_props
    assert not (model.producer_name + model.producer_version + model.doc_string)
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    assert re.findall(rb"/[\w.-]+/|\.py\b", model.SerializeToString()) == []


def test_the_converted_network_agrees_with_pytorch_on_eight_photographs(
    network_file, weights, version
):
    comparison = check(network_file, weights, version, threads=2)
    assert comparison.photographs == 8
    assert comparison.min_cosine > 0.99999
    assert comparison.min_cosine <= comparison.mean_cosine <= 1


def test_a_batch_gives_what_its_pictures_give_one_by_one(engine):
    pictures = photographs(CHECKED[:3], side=224)
    one_by_one = np.concatenate([engine.describe(picture[None]) for picture in pictures])
    assert one_by_one.shape == (3, 512)
    np.testing.assert_allclose(engine.describe(pictures), one_by_one, atol=1e-5)


def test_descriptors_have_unit_length_and_no_negative_component(engine):
    noise = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    for picture in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        descriptor = engine.describe(picture)
        assert abs(np.linalg.norm(descriptor.astype(np.float64)) - 1) < 1e-6
        assert (descriptor >= 0).all()


def test_an_empty_batch_gives_no_descriptors(engine):
    assert engine.describe(np.empty((0, 224, 224, 3), np.uint8)).shape == (0, 512)


def test_swapped_channels_are_caught(weights, version, few_photographs, tmp_path):
    swapped = with_first_kernel(weights, lambda kernel: kernel[:, ::-1])
    convert(swapped, version, tmp_path / "swapped.onnx")
    with pytest.raises(ConversionWrong, match=r"cosine 0\.\d+ on \w+\.png"):
        check(tmp_path / "swapped.onnx", weights, version, threads=2)


def test_torchvisions_usual_normalisation_is_caught(weights, version, few_photographs, tmp_path):
    """Mean (0.485, 0.456, 0.406), deviation (0.229, 0.224, 0.225), on the scale 0..1."""
    deviation = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    divided = with_first_kernel(weights, lambda kernel: kernel / deviation)
    usual = with_preprocessing(version, mean=(0.406 * 255, 0.456 * 255, 0.485 * 255), scale=1 / 255)
    convert(divided, usual, tmp_path / "usual.onnx")
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        check(tmp_path / "usual.onnx", weights, version, threads=2)


def test_the_right_mean_in_the_wrong_order_is_caught(weights, version, few_photographs, tmp_path):
    turned = with_preprocessing(version, mean=version.preprocessing.mean[::-1])
    convert(weights, turned, tmp_path / "turned.onnx")
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        check(tmp_path / "turned.onnx", weights, version, threads=2)


def test_rgb_on_the_scale_0_to_1_is_caught(weights, version, few_photographs, tmp_path):
    plain = with_preprocessing(version, mean=(0.0, 0.0, 0.0), scale=1 / 255)
    convert(weights, plain, tmp_path / "plain.onnx")
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        check(tmp_path / "plain.onnx", weights, version, threads=2)


def test_a_network_that_gives_no_numbers_is_caught(weights, version, few_photographs, tmp_path):
    model = network(weights, version)
    (eps,) = (tensor for tensor in model.graph.initializer if tensor.name == "eps")
    eps.CopyFrom(onnx.numpy_helper.from_array(np.array(np.nan, np.float32), "eps"))
    (tmp_path / "nan.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ConversionWrong, match="cosine nan"):
        check(tmp_path / "nan.onnx", weights, version, threads=2)


def test_the_mean_cannot_be_folded_into_the_first_bias(weights, version, few_photographs, tmp_path):
    """Why the graph subtracts it: at the borders the convolution sees zeros, not the mean."""
    first = weights.convolutions[0]
    red_green_blue = np.array(version.preprocessing.mean[::-1], np.float32)
    share_of_the_mean = np.einsum("oihw,i->o", first.kernel, red_green_blue)
    arrays = weights.arrays() | {"features.0.bias": first.bias - share_of_the_mean}
    folded = Vgg16Weights.of_arrays(arrays, "a test")
    convert(folded, with_preprocessing(version, mean=(0.0, 0.0, 0.0)), tmp_path / "folded.onnx")
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        check(tmp_path / "folded.onnx", weights, version, threads=2)
