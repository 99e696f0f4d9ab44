"""The graphs against the definitions in NumPy, which tests/descriptors checks by hand."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bento_service.descriptors.pooling import pooled
from bento_service.descriptors.version import (
    DESCRIPTORS,
    Part,
    Pooling,
    Preprocessing,
    Weights,
)
from model_build.network import IR_VERSION, OPSET
from model_build.pooling_graph import pooling_graph
from model_build.recipes import descriptor_version

WEIGHTS = Weights(digest="0" * 64, source="a test")
RECIPES = [descriptor_version(name, WEIGHTS) for name in DESCRIPTORS]


def of_parts(*parts, joined="sum", eps=1e-12):
    pooling = Pooling(parts=parts, joined=joined, eps=eps)
    return RECIPES[0].model_copy(update={"pooling": pooling})


def model_of(versions):
    nodes, constants = pooling_graph(versions)
    graph = helper.make_graph(
        nodes,
        "pooling",
        [
            helper.make_tensor_value_info(tap, TensorProto.FLOAT, ["N", "C", "H", "W"])
            for tap in ("conv4_3", "conv5_3")
        ],
        [
            helper.make_tensor_value_info(version.name, TensorProto.FLOAT, ["N", "D"])
            for version in versions
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def run(versions, taps):
    session = onnxruntime.InferenceSession(
        model_of(versions).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, taps)


def random_taps(count=3, *, size=224, seed=0):
    """Draw feature maps like those after a ReLU: half of the values are zero."""
    drawn = np.random.default_rng(seed)
    return {
        tap: np.maximum(drawn.normal(0, 100, (count, 8, side, side)), 0).astype(np.float32)
        for tap, side in (("conv4_3", size // 8), ("conv5_3", size // 16))
    }


@pytest.mark.parametrize("version", RECIPES, ids=DESCRIPTORS)
def test_every_descriptor_is_pooled_by_its_definition(version):
    taps = random_taps()
    (found,) = run([version], taps)
    np.testing.assert_allclose(found, pooled(version.pooling, taps), atol=2e-6)


def test_all_descriptors_together_are_what_each_is_alone():
    taps = random_taps()
    for version, found in zip(RECIPES, run(RECIPES, taps), strict=True):
        np.testing.assert_array_equal(found, run([version], taps)[0])


@pytest.mark.parametrize("tap", ["conv4_3", "conv5_3"])
@pytest.mark.parametrize(
    ("pooling", "parameter"),
    [
        ("mac", None),
        ("gem", 1),
        ("gem", 3),
        ("gem", 5),
        ("rmac", 1),
        ("rmac", 2),
        ("rmac", 3),
        ("rmac", 4),
    ],
)
def test_every_pooling_of_every_tap_is_the_definition(tap, pooling, parameter):
    version = of_parts(Part(tap=tap, pooling=pooling, parameter=parameter))
    taps = random_taps()
    np.testing.assert_allclose(run([version], taps)[0], pooled(version.pooling, taps), atol=2e-6)


@pytest.mark.parametrize("joined", ["sum", "concatenation"])
@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_parts_are_weighted_and_joined_by_the_definition(joined, weight):
    version = of_parts(
        Part(tap="conv5_3", pooling="mac"),
        Part(tap="conv4_3", pooling="gem", parameter=2, weight=weight),
        joined=joined,
    )
    taps = random_taps()
    (found,) = run([version], taps)
    assert found.shape == (3, 8 if joined == "sum" else 16)
    np.testing.assert_allclose(found, pooled(version.pooling, taps), atol=2e-6)


@pytest.mark.parametrize("size", [96, 224, 240])
def test_the_regions_are_those_of_the_maps_of_that_size(size):
    preprocessing = Preprocessing().model_copy(update={"size": size})
    version = of_parts(Part(tap="conv5_3", pooling="rmac", parameter=3)).model_copy(
        update={"preprocessing": preprocessing}
    )
    taps = random_taps(size=size)
    np.testing.assert_allclose(run([version], taps)[0], pooled(version.pooling, taps), atol=2e-6)


@pytest.mark.parametrize("version", RECIPES, ids=DESCRIPTORS)
@pytest.mark.parametrize("count", [0, 1, 9])
def test_any_number_of_pictures_is_pooled(version, count):
    taps = random_taps(count)
    (found,) = run([version], taps)
    np.testing.assert_allclose(found, pooled(version.pooling, taps), atol=2e-6)
    assert len(found) == count


@pytest.mark.parametrize("version", RECIPES, ids=DESCRIPTORS)
def test_maps_without_any_activation_give_numbers(version):
    taps = {name: np.zeros_like(maps) for name, maps in random_taps(1).items()}
    (found,) = run([version], taps)
    np.testing.assert_allclose(found, pooled(version.pooling, taps), atol=2e-6)


def test_short_vectors_are_divided_by_eps():
    version = of_parts(Part(tap="conv5_3", pooling="mac"), eps=1e6)
    taps = random_taps()
    (found,) = run([version], taps)
    np.testing.assert_allclose(found, pooled(version.pooling, taps), rtol=1e-5)
    assert np.linalg.norm(found, axis=1).max() < 1e-3


def test_nodes_that_several_descriptors_need_exist_once():
    """The regions of `vgg16-rgem` are those of `vgg16-rmac4`."""
    nodes, _ = pooling_graph(RECIPES)
    apart = sum(len(pooling_graph([version])[0]) for version in RECIPES)
    assert len(nodes) < apart - 20
    names = [output for node in nodes for output in node.output]
    assert len(names) == len(set(names))


def test_the_graph_is_valid_onnx():
    onnx.checker.check_model(model_of(RECIPES), full_check=True)


@pytest.mark.parametrize("pooling", ["gem", "rmac"])
def test_a_part_without_the_parameter_that_it_needs_is_refused(pooling):
    with pytest.raises(ValueError, match=f"{pooling} needs a parameter"):
        pooling_graph([of_parts(Part(tap="conv5_3", pooling=pooling))])
