import numpy as np
import onnx
import pytest

from bento_service.descriptors import onnx_engine
from bento_service.descriptors.onnx_engine import SLOWER_PRODUCTS, OnnxEngine, session_options
from bento_service.errors import InvalidArgument


@pytest.fixture
def opened(small_network, tmp_path):
    def make(*, precision="fp32"):
        network = tmp_path / "network.onnx"
        network.write_bytes(small_network())
        return OnnxEngine(network, precision, threads=1)

    return make


def described(engine, images):
    return engine.outputs(images, ["vgg16-mac"])["vgg16-mac"]


def test_the_network_in_the_tests_is_a_valid_one(small_network):
    onnx.checker.check_model(onnx.load_model_from_string(small_network()))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 17])
def test_n_images_give_n_descriptors(opened, precision, count, small_pictures, small_descriptors):
    images = small_pictures(count)
    descriptors = described(opened(precision=precision), images)
    assert descriptors.shape == (count, 12)
    assert descriptors.dtype == np.float32
    np.testing.assert_allclose(descriptors, small_descriptors(images), atol=1e-6)


def test_the_engine_says_what_it_is(opened):
    engine = opened(precision="int8")
    assert (engine.name, engine.precision) == ("onnxruntime", "int8")


@pytest.mark.parametrize("names", [["vgg16-mac", "vgg16-rgem"], ["vgg16-rgem", "vgg16-mac"]])
def test_several_outputs_come_by_their_names(opened, names, small_pictures, small_descriptors):
    images = small_pictures(10)
    outputs = opened(precision="int8").outputs(images, names)
    assert list(outputs) == names
    np.testing.assert_allclose(outputs["vgg16-mac"], small_descriptors(images), atol=1e-6)
    np.testing.assert_allclose(outputs["vgg16-rgem"], -small_descriptors(images), atol=1e-6)


@pytest.mark.parametrize(("precision", "runs"), [("fp32", [1] * 11), ("int8", [8] * 8 + [3] * 3)])
def test_a_large_batch_is_described_in_parts_that_fit_the_memory(
    opened, precision, runs, small_pictures
):
    """Feature maps in fp32 take 50 MB a picture."""
    outputs = opened(precision=precision).outputs(small_pictures(11), ["pictures_in_the_run"])
    assert outputs["pictures_in_the_run"].ravel().tolist() == runs


def test_a_view_of_an_array_is_described_like_a_copy_of_it(opened, small_pictures):
    engine, images = opened(), small_pictures(3)
    np.testing.assert_array_equal(
        described(engine, images[::-1, :, ::-1]), described(engine, images[::-1, :, ::-1].copy())
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda images: images[0],
        lambda images: images.astype(np.float32),
        lambda images: images.transpose(0, 3, 1, 2),
        lambda images: images.repeat(2, axis=1),
        lambda images: images[..., :1],
    ],
    ids=["one picture without a batch", "floats", "planes first", "too large", "grey"],
)
def test_images_of_another_kind_are_refused_with_the_kind_that_is_needed(
    opened, wrong, small_pictures
):
    with pytest.raises(InvalidArgument, match=r"send uint8 \(N, 2, 2, 3\)"):
        described(opened(), wrong(small_pictures(1)))


@pytest.mark.parametrize(
    ("flags", "slower"), [("avx2 avx512_vnni", False), ("avx2 avx_vnni", False), ("avx2", True)]
)
def test_slower_products_are_taken_only_where_fast_ones_overflow(monkeypatch, flags, slower):
    monkeypatch.setattr(onnx_engine, "cpu_facts", lambda: f"flags\t\t: {flags}\n")
    options = session_options(threads=1)
    try:
        entry = options.get_session_config_entry(SLOWER_PRODUCTS)
    except RuntimeError:  # as onnxruntime says that there is none
        entry = "0"
    assert entry == str(int(slower))
