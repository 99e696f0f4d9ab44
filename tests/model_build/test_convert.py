import re

import numpy as np
import onnx
import pytest
import safetensors.numpy

from bento_service.descriptors.model import NETWORK_FILES, WEIGHTS_FILE
from bento_service.descriptors.onnx_engine import OnnxEngine
from bento_service.descriptors.version import DESCRIPTORS
from model_build import convert as conversion
from model_build.convert import check, convert
from model_build.errors import ConversionWrong
from model_build.photographs import CHECKED, photographs
from model_build.weights import Vgg16Weights

FEW = ("coffee.png",)
EXACT, QUANTISED = NETWORK_FILES["fp32"], NETWORK_FILES["int8"]


@pytest.fixture(scope="module")
def engines(converted):
    return {
        precision: OnnxEngine(converted / file, precision, threads=2)
        for precision, file in NETWORK_FILES.items()
    }


@pytest.fixture(scope="module")
def agreements(converted, weights, versions):
    """Compare on a few photographs; the whole build of other tests compares on all eight."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversion, "CHECKED", FEW)
        return check(converted, weights, versions, threads=2)


@pytest.fixture
def few_photographs(monkeypatch):
    monkeypatch.setattr(conversion, "CHECKED", FEW)


@pytest.fixture
def checked_after(few_photographs, weights, ranges, exact_versions, tmp_path):
    """Converts something else and compares it with what was meant; in fp32 if nothing is said."""

    def run(*, with_weights=weights, with_versions=exact_versions, meant=exact_versions):
        convert(with_weights, with_versions, ranges, tmp_path)
        return check(tmp_path, weights, meant, threads=2)

    return run


def with_preprocessing(versions, **changes):
    return tuple(
        version.model_copy(
            update={"preprocessing": version.preprocessing.model_copy(update=changes)}
        )
        for version in versions
    )


def with_first_kernel(weights, change):
    arrays = weights.arrays()
    first = "features.0.weight"
    return Vgg16Weights.of_arrays(arrays | {first: change(arrays[first])}, "a test")


def test_the_same_weights_give_the_same_bytes(weights, versions, ranges, converted, tmp_path):
    convert(weights, versions, ranges, tmp_path)
    for name in (WEIGHTS_FILE, *NETWORK_FILES.values()):
        assert (tmp_path / name).read_bytes() == (converted / name).read_bytes()


@pytest.mark.parametrize("name", NETWORK_FILES.values())
def test_the_networks_are_valid_onnx(name, converted):
    onnx.checker.check_model(str(converted / name), full_check=True)


@pytest.mark.parametrize("name", NETWORK_FILES.values())
def test_every_descriptor_and_both_taps_are_outputs_for_any_number_of_images(name, converted):
    graph = onnx.load_model(converted / name, load_external_data=False).graph
    (images,) = graph.input
    shape = [dim.dim_param or dim.dim_value for dim in images.type.tensor_type.shape.dim]
    assert (images.name, shape) == ("images", ["N", 224, 224, 3])
    dimensions = {
        output.name: output.type.tensor_type.shape.dim[-1].dim_value
        for output in graph.output
        if output.name in DESCRIPTORS
    }
    assert dimensions == {"vgg16-mac": 512, "vgg16-rgem": 512, "vgg16-rmac4": 1024}
    assert {output.name for output in graph.output} == {*DESCRIPTORS, "conv4_3", "conv5_3"}


@pytest.mark.parametrize("name", NETWORK_FILES.values())
def test_nothing_of_the_machine_is_in_the_file(name, converted):
    model = onnx.load_model(converted / name, load_external_data=False)
    assert not model.metadata_props
    assert not (model.producer_name + model.producer_version + model.doc_string)
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
    assert re.findall(rb"/[\w.-]+/|\.py\b", model.SerializeToString()) == []


def test_the_weights_are_stored_once_under_torchvisions_names(converted, weights):
    stored = safetensors.numpy.load_file(converted / WEIGHTS_FILE)
    assert stored.keys() == weights.arrays().keys()
    for name, array in weights.arrays().items():
        np.testing.assert_array_equal(stored[name], array)
    assert (converted / EXACT).stat().st_size < 100_000


def test_the_network_in_fp32_finds_its_weights_in_that_file(converted, weights):
    model = onnx.load_model(converted / EXACT)
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, array in weights.arrays().items():
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(found[name]), array)


def test_the_networks_agree_with_pytorch_on_photographs(agreements):
    outputs = {(each.output, each.precision) for each in agreements}
    assert outputs == {
        (output, precision)
        for output in (*DESCRIPTORS, "conv4_3", "conv5_3")
        for precision in ("fp32", "int8")
    }
    for each in agreements:
        lowest = 0.99999 if each.precision == "fp32" else 0.996
        assert lowest < each.min_cosine <= each.mean_cosine <= 1
        assert each.worst in FEW


def test_the_default_descriptor_hardly_changes_in_8_bits(agreements):
    (rmac4,) = (a for a in agreements if (a.output, a.precision) == ("vgg16-rmac4", "int8"))
    assert rmac4.mean_cosine > 0.999
    assert rmac4.min_cosine > 0.998


@pytest.mark.parametrize("precision", NETWORK_FILES)
def test_a_batch_gives_what_its_pictures_give_one_by_one(engines, precision, versions):
    pictures = photographs(CHECKED[:2], versions[0].preprocessing)

    def described(images):
        return engines[precision].outputs(images, ["vgg16-rmac4"])["vgg16-rmac4"]

    one_by_one = np.concatenate([described(picture[None]) for picture in pictures])
    assert one_by_one.shape == (2, 1024)
    np.testing.assert_allclose(described(pictures), one_by_one, atol=1e-5)


@pytest.mark.parametrize("precision", NETWORK_FILES)
def test_descriptors_have_unit_length_and_no_negative_component(engines, precision):
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    pictures = np.stack([noise, np.zeros_like(noise), np.full_like(noise, 255)])
    for descriptors in engines[precision].outputs(pictures, DESCRIPTORS).values():
        lengths = np.linalg.norm(descriptors.astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-6)
        assert (descriptors >= 0).all()


@pytest.mark.parametrize("precision", NETWORK_FILES)
def test_an_empty_batch_gives_no_descriptors(engines, precision):
    nothing = np.empty((0, 224, 224, 3), np.uint8)
    shapes = {
        name: rows.shape for name, rows in engines[precision].outputs(nothing, DESCRIPTORS).items()
    }
    assert shapes == {"vgg16-mac": (0, 512), "vgg16-rgem": (0, 512), "vgg16-rmac4": (0, 1024)}


def test_swapped_channels_are_caught(checked_after, weights):
    with pytest.raises(ConversionWrong, match=r"0\.\d+ on \w+\.png"):
        checked_after(with_weights=with_first_kernel(weights, lambda kernel: kernel[:, ::-1]))


def test_swapped_channels_are_caught_in_int8_too(checked_after, weights, versions):
    in_int8 = tuple(version for version in versions if version.precision == "int8")
    with pytest.raises(ConversionWrong, match=r"in int8 .* 0\.\d+ on \w+\.png"):
        checked_after(
            with_weights=with_first_kernel(weights, lambda kernel: kernel[:, ::-1]), meant=in_int8
        )


def test_torchvisions_usual_normalisation_is_caught(checked_after, weights, exact_versions):
    """Mean (0.485, 0.456, 0.406), deviation (0.229, 0.224, 0.225), on the scale 0..1."""
    deviation = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    divided = with_first_kernel(weights, lambda kernel: kernel / deviation)
    mean = (0.406 * 255, 0.456 * 255, 0.485 * 255)
    usual = with_preprocessing(exact_versions, mean=mean, scale=1 / 255)
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        checked_after(with_weights=divided, with_versions=usual)


def test_the_right_mean_in_the_wrong_order_is_caught(checked_after, exact_versions):
    mean = exact_versions[0].preprocessing.mean[::-1]
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        checked_after(with_versions=with_preprocessing(exact_versions, mean=mean))


def test_rgb_on_the_scale_0_to_1_is_caught(checked_after, exact_versions):
    plain = with_preprocessing(exact_versions, mean=(0.0, 0.0, 0.0), scale=1 / 255)
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        checked_after(with_versions=plain)


def test_another_pooling_under_the_same_name_is_caught(checked_after, exact_versions):
    mac, rgem, rmac4 = exact_versions
    confused = rmac4.model_copy(
        update={"pooling": rmac4.pooling.model_copy(update={"parts": rmac4.pooling.parts[::-1]})}
    )
    with pytest.raises(ConversionWrong, match="descriptor vgg16-rmac4 in fp32"):
        checked_after(with_versions=(mac, rgem, confused))


def test_a_network_that_gives_no_numbers_is_caught(checked_after, exact_versions):
    mac = exact_versions[0]
    nan = mac.model_copy(update={"pooling": mac.pooling.model_copy(update={"eps": np.nan})})
    with pytest.raises(ConversionWrong, match=r"mean cosine of nan .* and nan on \w+\.png"):
        checked_after(with_versions=(nan,), meant=(mac,))


def test_the_mean_cannot_be_folded_into_the_first_bias(checked_after, weights, exact_versions):
    """Why the graph subtracts it: at the borders the convolution sees zeros, not the mean."""
    first = weights.convolutions[0]
    red_green_blue = np.array(exact_versions[0].preprocessing.mean[::-1], np.float32)
    share_of_the_mean = np.einsum("oihw,i->o", first.kernel, red_green_blue)
    arrays = weights.arrays() | {"features.0.bias": first.bias - share_of_the_mean}
    folded = Vgg16Weights.of_arrays(arrays, "a test")
    without_mean = with_preprocessing(exact_versions, mean=(0.0, 0.0, 0.0))
    with pytest.raises(ConversionWrong, match="disagrees with PyTorch"):
        checked_after(with_weights=folded, with_versions=without_mean)


@pytest.mark.parametrize("factor", [1 / 4, 30])
def test_a_range_that_does_not_fit_is_caught_in_int8(
    few_photographs, weights, versions, ranges, factor, tmp_path
):
    """A quarter of conv3_1's clips what is large; thirty times of it loses what is small."""
    maxima = ranges.maxima | {"features.10": ranges.maxima["features.10"] * factor}
    convert(weights, versions, ranges.model_copy(update={"maxima": maxima}), tmp_path)
    quantised = [version for version in versions if version.precision == "int8"]
    with pytest.raises(ConversionWrong, match="in int8"):
        check(tmp_path, weights, quantised, threads=2)
