import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from bento_service.vision.pooling import l2_normalised, mac

VALUES = st.floats(-1000, 1000, width=32)
FEATURE_MAPS = arrays(np.float32, array_shapes(min_dims=4, max_dims=4, max_side=5), elements=VALUES)
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
    l2_normalised(vectors)
    mac(vectors[None, None])
    np.testing.assert_array_equal(vectors, before)
