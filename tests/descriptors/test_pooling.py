import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bento_service.descriptors.pooling import gem, l2_normalised, mac, pooled, rmac, rmac_regions
from bento_service.descriptors.version import DESCRIPTORS, Part, Pooling, Weights
from model_build.recipes import descriptor_version

VALUES = st.floats(-1000, 1000, width=32)
FEATURE_MAPS = arrays(np.float32, array_shapes(min_dims=4, max_dims=4, max_side=5), elements=VALUES)
# As after a ReLU.
ACTIVATIONS = arrays(
    np.float32,
    array_shapes(min_dims=4, max_dims=4, max_side=5),
    elements=st.floats(0, 1000, width=32),
)
VECTORS = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=VALUES)


@given(FEATURE_MAPS)
def test_mac_is_reached_somewhere_in_its_map_and_exceeded_nowhere(maps):
    pooled = mac(maps)
    places = maps.reshape(*maps.shape[:2], -1)
    assert pooled.shape == maps.shape[:2]
    assert pooled.dtype == np.float32
    assert (places <= pooled[..., None]).all()
    assert (places == pooled[..., None]).any(axis=2).all()


@given(FEATURE_MAPS, st.randoms(use_true_random=False))
def test_mac_does_not_care_where_in_the_picture_something_is(maps, random):
    order = list(range(maps.shape[2] * maps.shape[3]))
    random.shuffle(order)
    moved = maps.reshape(*maps.shape[:2], -1)[..., order].reshape(maps.shape)
    np.testing.assert_array_equal(mac(moved), mac(maps))


@given(FEATURE_MAPS)
def test_mac_of_a_batch_is_the_mac_of_each(maps):
    one_by_one = np.concatenate([mac(single[None]) for single in maps])
    np.testing.assert_array_equal(mac(maps), one_by_one)


def test_mac_sees_the_corners():
    maps = np.zeros((1, 4, 7, 7), np.float32)
    for channel, (row, column) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
        maps[0, channel, row, column] = channel + 1
    np.testing.assert_array_equal(mac(maps), [[1, 2, 3, 4]])


@given(ACTIVATIONS)
def test_gem_with_the_exponent_1_is_the_mean(maps):
    floored = np.maximum(maps.astype(np.float64), 1e-6)
    np.testing.assert_allclose(gem(maps, 1), floored.mean(axis=(2, 3)), rtol=1e-6)


def test_gem_with_the_exponent_3_by_hand():
    maps = np.array([[[[1, 2], [3, 4]]]], np.float32)  # 1 + 8 + 27 + 64 is 100
    np.testing.assert_allclose(gem(maps, 3), [[25 ** (1 / 3)]], rtol=1e-6)


@given(ACTIVATIONS)
def test_gem_comes_near_to_the_maximum_with_a_large_exponent(maps):
    """The largest of n places alone gives max / n^(1/p), and none can give more than max."""
    places = maps.shape[2] * maps.shape[3]
    maxima = np.maximum(maps, 1e-6).astype(np.float64).max(axis=(2, 3))
    found = gem(maps, 50).astype(np.float64)
    assert (found <= maxima * (1 + 1e-6)).all()
    assert (found >= maxima / places ** (1 / 50) * (1 - 1e-6)).all()


@given(ACTIVATIONS, st.sampled_from([(1, 2), (2, 3), (3, 5), (1, 10)]))
def test_gem_does_not_fall_when_its_exponent_grows(maps, exponents):
    smaller, larger = exponents
    assert (gem(maps, smaller) <= gem(maps, larger) * np.float32(1 + 1e-6)).all()


@given(ACTIVATIONS, st.sampled_from([0.5, 2.0, 16.0]))
def test_gem_of_brighter_maps_is_as_much_larger(maps, factor):
    bright = maps + np.float32(1)  # above the floor, also after it is made smaller
    np.testing.assert_allclose(
        gem(bright * np.float32(factor), 3), gem(bright, 3) * np.float32(factor), rtol=1e-5
    )


@pytest.mark.parametrize("exponent", [1, 3, 10])
def test_gem_takes_what_is_below_its_floor_for_the_floor(exponent):
    maps = np.array([[[[-5.0, 0.0], [1e-9, 1e-6]]]], np.float32)
    np.testing.assert_allclose(gem(maps, exponent), [[1e-6]], rtol=1e-5)


def test_the_regions_of_a_map_of_14_are_those_of_the_paper():
    """Side 2 * 14 / (l + 1), spread evenly: 14, then 9 with a step of 5, then 7 with 3.5."""
    assert rmac_regions(14, 3) == ((14, (0,)), (9, (0, 5)), (7, (0, 3, 7)))


def test_the_regions_of_small_maps_by_hand():
    assert rmac_regions(6, 3) == ((6, (0,)), (4, (0, 2)), (3, (0, 1, 3)))
    assert rmac_regions(1, 3) == ((1, (0,)), (1, (0, 0)), (1, (0, 0, 0)))


@given(st.integers(1, 60), st.integers(1, 8))
def test_every_level_covers_the_map_and_lies_in_it(side, levels):
    regions = rmac_regions(side, levels)
    assert [len(starts) for _, starts in regions] == list(range(1, levels + 1))
    for size, starts in regions:
        assert all(0 <= start <= side - size for start in starts)
        covered = {start + offset for start in starts for offset in range(size)}
        assert len(starts) >= side or covered == set(range(side))


@given(ACTIVATIONS)
def test_rmac_of_one_level_is_the_normalised_mac(maps):
    square = maps[:, :, : min(maps.shape[2:]), : min(maps.shape[2:])]
    np.testing.assert_array_equal(rmac(square, 1), l2_normalised(mac(square)))


def test_rmac_of_two_levels_by_hand():
    """On 3 x 3 the second level has regions of 2 x 2, which start at 0 and 1."""
    maps = np.zeros((1, 2, 3, 3), np.float32)
    maps[0, 0, 0, 0] = 3  # in the whole and in the upper left region
    maps[0, 1, 1, 1] = 4  # in the whole and in all four
    #   whole       upper left  the other three
    expected = np.array([3, 4]) / 5 + np.array([3, 4]) / 5 + 3 * np.array([0, 1])
    np.testing.assert_allclose(rmac(maps, 2), expected[None], rtol=1e-6)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(15, 3), (3, 2), (8, 2), (6, 1)]))
def test_rmac_of_a_mirrored_map_is_the_same_where_its_regions_lie_evenly(seed, case):
    side, levels = case
    maps = np.random.default_rng(seed).random((2, 3, side, side), np.float32)
    for mirrored in (maps[..., ::-1], maps[:, :, ::-1], maps.swapaxes(2, 3)):
        np.testing.assert_allclose(rmac(mirrored, levels), rmac(maps, levels), rtol=1e-5)


def test_rmac_of_a_batch_is_the_rmac_of_each():
    maps = np.random.default_rng(0).random((3, 4, 14, 14), np.float32)
    one_by_one = np.concatenate([rmac(single[None], 3) for single in maps])
    np.testing.assert_array_equal(rmac(maps, 3), one_by_one)


def test_rmac_where_a_region_is_empty_has_nothing_of_it():
    maps = np.zeros((1, 2, 14, 14), np.float32)
    maps[0, 0, 0, 0] = 5  # of the 14 regions: the whole, one of four, one of nine
    np.testing.assert_allclose(rmac(maps, 3), [[3, 0]], rtol=1e-6)


@given(VECTORS)
def test_normalised_rows_have_unit_length_or_are_zero(vectors):
    lengths = np.linalg.norm(l2_normalised(vectors).astype(np.float64), axis=1)
    long_enough = np.linalg.norm(vectors.astype(np.float64), axis=1) > 1e-6
    np.testing.assert_allclose(lengths[long_enough], 1, atol=1e-5)


@given(VECTORS, st.sampled_from([0.25, 2.0, 1024.0]))
def test_normalising_forgets_the_length_and_keeps_the_direction(vectors, factor):
    long_enough = np.linalg.norm(vectors.astype(np.float64), axis=1) > 1e-3
    rows = vectors[long_enough]
    np.testing.assert_allclose(
        l2_normalised(rows * np.float32(factor)), l2_normalised(rows), atol=1e-6
    )
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    np.testing.assert_allclose(
        (l2_normalised(rows) * rows).sum(axis=1), lengths, rtol=1e-4, atol=1e-6
    )


def test_a_row_of_zeros_stays_zero_instead_of_becoming_no_number():
    np.testing.assert_array_equal(l2_normalised(np.zeros((2, 5), np.float32)), np.zeros((2, 5)))


def test_a_row_shorter_than_eps_is_divided_by_eps():
    vectors = np.array([[3e-4, 4e-4]], np.float32)
    np.testing.assert_allclose(l2_normalised(vectors, eps=1e-3), [[0.3, 0.4]], rtol=1e-6)


@given(VECTORS)
def test_the_arguments_are_left_as_they_are(vectors):
    before = vectors.copy()
    maps = vectors[None, None]
    l2_normalised(vectors)
    mac(maps)
    gem(maps, 3)
    rmac(maps[..., : min(vectors.shape), : min(vectors.shape)], 2)
    np.testing.assert_array_equal(vectors, before)


def unit(vector):
    return vector / np.sqrt((vector**2).sum())


def by_hand(name, conv4, conv5):
    """One picture's descriptor in double precision, place by place."""
    conv4, conv5 = conv4.astype(np.float64), conv5.astype(np.float64)
    regional = np.zeros(len(conv5))
    for size, starts in ((14, (0,)), (9, (0, 5)), (7, (0, 3, 7))):
        for top in starts:
            for left in starts:
                region = conv5[:, top : top + size, left : left + size]
                regional = regional + unit(region.reshape(len(conv5), -1).max(axis=1))
    if name == "vgg16-mac":
        return unit(conv5.reshape(len(conv5), -1).max(axis=1))
    if name == "vgg16-rgem":
        cubic = np.cbrt((conv5**3).mean(axis=(1, 2)))
        return unit(unit(regional) + 2 * unit(cubic))
    return unit(np.append(unit(regional), unit(conv4.reshape(len(conv4), -1).max(axis=1))))


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_descriptor_is_what_its_recipe_says(name):
    drawn = np.random.default_rng(1)
    conv4 = np.maximum(drawn.normal(0, 100, (4, 6, 28, 28)), 0).astype(np.float32)
    conv5 = np.maximum(drawn.normal(0, 10, (4, 5, 14, 14)), 0).astype(np.float32)
    version = descriptor_version(name, Weights(digest="0" * 64, source="a test"))
    found = pooled(version.pooling, {"conv4_3": conv4, "conv5_3": conv5})
    expected = [by_hand(name, *maps) for maps in zip(conv4, conv5, strict=True)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_picture_without_any_activation_has_a_descriptor_of_numbers():
    nothing = {
        "conv4_3": np.zeros((1, 3, 28, 28), np.float32),
        "conv5_3": np.zeros((1, 3, 14, 14), np.float32),
    }
    for name in DESCRIPTORS:
        version = descriptor_version(name, Weights(digest="0" * 64, source="a test"))
        assert np.isfinite(pooled(version.pooling, nothing)).all()


@pytest.mark.parametrize("pooling", ["gem", "rmac"])
def test_a_part_without_the_parameter_that_it_needs_is_refused(pooling):
    recipe = Pooling(parts=(Part(tap="conv5_3", pooling=pooling),), joined="sum")
    with pytest.raises(ValueError, match=f"{pooling} needs a parameter"):
        pooled(recipe, {"conv5_3": np.ones((1, 2, 14, 14), np.float32)})
