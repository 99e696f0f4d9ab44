from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bento_service.errors import InvalidArgument, NotReady
from bento_service.vision.descriptor_version import VERSION_FILE, DescriptorVersion, Weights
from bento_service.vision.engine import (
    GOLDEN_FILE,
    NETWORK_FILE,
    Model,
    OnnxEngine,
)
from bento_service.vision.golden import GoldenVectors, cosines

SIDE, DIMENSION = 2, 12
VERSION = DescriptorVersion(weights=Weights(digest="0" * 64, source="a test"))


def small_network(*, factor: float = 1.0, shift: float = 0.0) -> bytes:
    """All samples of a picture, plus `shift`, as one vector `factor` times as long as one."""
    constants = {
        "factor": np.float32(factor),
        "shift": np.float32(shift),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["images"], ["samples"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["samples"], ["flat"]),
        helper.make_node("Add", ["flat", "shift"], ["shifted"]),
        helper.make_node("ReduceL2", ["shifted", "axes"], ["lengths"]),
        helper.make_node("Div", ["shifted", "lengths"], ["unit"]),
        helper.make_node("Mul", ["unit", "factor"], ["descriptors"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("descriptors", TensorProto.FLOAT, ["N", DIMENSION])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def pictures(count: int, *, seed: int = 0) -> np.ndarray:
    shape = (count, SIDE, SIDE, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def expected(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(-1, DIMENSION).astype(np.float64)
    return (flat / np.sqrt((flat**2).sum(axis=1, keepdims=True))).astype(np.float32)


def golden(images: np.ndarray) -> GoldenVectors:
    return GoldenVectors(pictures=images, descriptors=expected(images))


def model_folder(folder: Path, network: bytes, vectors: GoldenVectors) -> Path:
    (folder / NETWORK_FILE).write_bytes(network)
    (folder / VERSION_FILE).write_text(VERSION.model_dump_json())
    vectors.save(folder / GOLDEN_FILE)
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> OnnxEngine:
    network = tmp_path / NETWORK_FILE
    network.write_bytes(small_network())
    return OnnxEngine(network, threads=1, precision="fp32")


def test_the_network_in_the_tests_is_a_valid_one():
    onnx.checker.check_model(onnx.load_model_from_string(small_network()), full_check=True)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_n_images_give_n_descriptors(engine, count):
    images = pictures(count)
    descriptors = engine.describe(images)
    assert descriptors.shape == (count, DIMENSION)
    assert descriptors.dtype == np.float32
    np.testing.assert_allclose(descriptors, expected(images), atol=1e-6)


def test_a_view_of_an_array_is_described_like_a_copy_of_it(engine):
    images = pictures(3)
    np.testing.assert_array_equal(
        engine.describe(images[::-1, :, ::-1]), engine.describe(images[::-1, :, ::-1].copy())
    )


@pytest.mark.parametrize(
    "images",
    [
        pictures(1)[0],
        pictures(1).astype(np.float32),
        np.zeros((1, 3, SIDE, SIDE), np.uint8),
        np.zeros((1, SIDE + 1, SIDE, 3), np.uint8),
    ],
    ids=["one picture without a batch", "floats", "planes first", "too large"],
)
def test_images_of_another_kind_are_refused_with_the_kind_that_is_needed(engine, images):
    with pytest.raises(InvalidArgument, match=r"send uint8 \(N, 2, 2, 3\)"):
        engine.describe(images)


def test_a_model_that_reproduces_its_golden_vectors_is_loaded(tmp_path):
    folder = model_folder(tmp_path, small_network(), golden(pictures(3)))
    model = Model.load(folder, threads=1)
    assert model.version == VERSION
    assert (model.engine.name, model.engine.precision) == ("onnxruntime", "fp32")
    images = pictures(2, seed=1)
    np.testing.assert_allclose(model.engine.describe(images), expected(images), atol=1e-6)


@pytest.mark.parametrize(
    ("network", "images"),
    [
        (small_network(shift=20.0), pictures(3)),
        (small_network(factor=1.05), pictures(3)),
        (small_network(factor=-1.0), pictures(3)),
        (small_network(factor=np.nan), pictures(3)),
    ],
    ids=["another mean", "not of unit length", "turned round", "not numbers"],
)
def test_a_model_that_does_not_reproduce_them_is_refused(tmp_path, network, images):
    folder = model_folder(tmp_path, network, golden(images))
    with pytest.raises(NotReady, match="python -m model_build"):
        Model.load(folder, threads=1)


def test_one_wrong_golden_vector_among_many_is_enough_to_refuse(tmp_path):
    images = pictures(5)
    vectors = expected(images)
    vectors[3] = vectors[4]
    folder = model_folder(tmp_path, small_network(), GoldenVectors(images, vectors))
    with pytest.raises(NotReady, match="golden vectors"):
        Model.load(folder, threads=1)


def test_golden_vectors_come_back_from_their_file_as_they_were(tmp_path):
    vectors = golden(pictures(3))
    vectors.save(tmp_path / GOLDEN_FILE)
    loaded = GoldenVectors.load(tmp_path / GOLDEN_FILE)
    np.testing.assert_array_equal(loaded.pictures, vectors.pictures)
    np.testing.assert_array_equal(loaded.descriptors, vectors.descriptors)


def test_equal_golden_vectors_give_equal_files(tmp_path):
    golden(pictures(3)).save(tmp_path / "a.npz")
    golden(pictures(3)).save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_file_of_golden_vectors_with_a_pickle_inside_is_refused(tmp_path):
    pickled = np.array([{"a": "pickle"}], dtype=object)
    np.savez(tmp_path / GOLDEN_FILE, pictures=pickled, descriptors=pickled)
    with pytest.raises(ValueError, match="allow_pickle"):
        GoldenVectors.load(tmp_path / GOLDEN_FILE)


def test_cosines_of_unit_vectors_are_their_inner_products():
    first, second = expected(pictures(6)), expected(pictures(6, seed=1))
    inner = (first.astype(np.float64) * second).sum(axis=1)
    np.testing.assert_allclose(cosines(first, second), inner, atol=1e-6)
    np.testing.assert_allclose(cosines(first, first), 1, atol=1e-12)


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 2.0])
def test_cosines_are_less_where_the_length_is_not_one(factor):
    unit = expected(pictures(1))
    assert cosines(unit, unit * np.float32(factor)) < 1 - 1e-5
