import pytest

from bento_service.descriptors.version import (
    DESCRIPTORS,
    Part,
    Preprocessing,
    Quantisation,
    Weights,
)
from model_build.recipes import descriptor_version

WEIGHTS = Weights(digest="0" * 64, source="a test")
CHANNELS = {"conv4_3": 512, "conv5_3": 512}


def recipe(name):
    return descriptor_version(name, WEIGHTS)


def test_mac_is_the_maximum_of_the_last_maps_as_in_the_replaced_system():
    (part,) = recipe("vgg16-mac").pooling.parts
    assert part == Part(tap="conv5_3", pooling="mac", parameter=None, weight=1.0)


def test_rgem_is_three_levels_of_regions_and_twice_the_cubic_mean():
    pooling = recipe("vgg16-rgem").pooling
    assert pooling.joined == "sum"
    assert [(p.tap, p.pooling, p.parameter, p.weight) for p in pooling.parts] == [
        ("conv5_3", "rmac", 3, 1.0),
        ("conv5_3", "gem", 3, 2.0),
    ]


def test_rmac4_is_the_regions_of_conv5_3_followed_by_the_maxima_of_conv4_3():
    pooling = recipe("vgg16-rmac4").pooling
    assert pooling.joined == "concatenation"
    assert [(p.tap, p.pooling, p.parameter, p.weight) for p in pooling.parts] == [
        ("conv5_3", "rmac", 3, 1.0),
        ("conv4_3", "mac", None, 1.0),
    ]


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_pictures_are_squashed_and_caffes_mean_is_subtracted(name):
    preprocessing = recipe(name).preprocessing
    assert preprocessing == Preprocessing()
    assert (preprocessing.size, preprocessing.padding) == (224, None)
    assert (preprocessing.channel_order, preprocessing.scale) == ("BGR", 1.0)
    assert preprocessing.mean == (103.939, 116.779, 123.68)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_the_dimension_is_what_the_parts_come_to(name):
    version = recipe(name)
    widths = [CHANNELS[part.tap] for part in version.pooling.parts]
    joined = sum(widths) if version.pooling.joined == "concatenation" else widths[0]
    assert version.dimension == joined
    assert len(set(widths)) == 1 or version.pooling.joined == "concatenation"


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_duplicate_is_nearer_than_a_near_duplicate(name):
    thresholds = recipe(name).thresholds
    assert 0 < thresholds.near_duplicate < thresholds.duplicate < 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_only_int8_has_anything_to_do_with_quantisation(precision):
    ranges = Quantisation(digest="ab" * 32)
    version = descriptor_version("vgg16-mac", WEIGHTS, precision=precision, quantisation=ranges)
    assert (version.precision, version.quantisation) == (precision, None)
    quantised = descriptor_version("vgg16-mac", WEIGHTS, precision="int8", quantisation=ranges)
    assert (quantised.precision, quantised.quantisation) == ("int8", ranges)


def test_an_int8_version_without_its_constants_is_refused():
    with pytest.raises(ValueError, match="quantisation"):
        descriptor_version("vgg16-mac", WEIGHTS, precision="int8")
