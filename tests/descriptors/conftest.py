import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

SMALL_SIDE = 2
SMALL_DIMENSION = SMALL_SIDE * SMALL_SIDE * 3


def _small_network(*, factor=1.0, shift=0.0):
    nodes = [
        helper.make_node("Cast", ["images"], ["samples"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["samples"], ["flat"]),
        helper.make_node("Add", ["flat", "shift"], ["shifted"]),
        helper.make_node("ReduceL2", ["shifted", "axes"], ["lengths"]),
        helper.make_node("Div", ["shifted", "lengths"], ["unit"]),
        helper.make_node("Mul", ["unit", "factor"], ["vgg16-mac"]),
        helper.make_node("Neg", ["vgg16-mac"], ["vgg16-rgem"]),
        helper.make_node("Shape", ["images"], ["pictures"], start=0, end=1),
        helper.make_node("Cast", ["pictures"], ["as_float"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["pictures", "axes"], ["a_column"], axis=0),
        helper.make_node("Expand", ["as_float", "a_column"], ["pictures_in_the_run"]),
    ]
    outputs = {
        "vgg16-mac": SMALL_DIMENSION,
        "vgg16-rgem": SMALL_DIMENSION,
        "pictures_in_the_run": 1,
    }
    constants = {
        "factor": np.float32(factor),
        "shift": np.float32(shift),
        "axes": np.array([1], np.int64),
    }
    shape = ["N", SMALL_SIDE, SMALL_SIDE, 3]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["M", width])
            for name, width in outputs.items()
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


@pytest.fixture(scope="session")
def small_network():
    """Return a function that makes a network over pictures of 2 x 2.

    Its descriptors are all samples plus `shift`, as one vector `factor` times as long as one, and
    the same turned round. A third output tells how many pictures are described at once.
    """
    return _small_network


@pytest.fixture(scope="session")
def small_pictures():
    def make(count, *, seed=0):
        shape = (count, SMALL_SIDE, SMALL_SIDE, 3)
        return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.fixture(scope="session")
def small_descriptors():
    """Expected descriptors of pictures of 2 x 2, computed in double precision."""

    def describe(images):
        flat = images.reshape(-1, SMALL_DIMENSION).astype(np.float64)
        return (flat / np.sqrt((flat**2).sum(axis=1, keepdims=True))).astype(np.float32)

    return describe
