import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model_build.evaluation.histogram import colour_histograms

IMAGES = arrays(
    np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.just(3))
)


def place(red, green, blue):
    """Return the position of a colour's bin: each channel has eight bins of 32 levels."""
    return (red // 32) * 64 + (green // 32) * 8 + blue // 32


def test_each_colour_counts_by_the_square_root_of_its_share():
    pixels = [(255, 0, 0)] * 9 + [(0, 255, 0)] * 4 + [(31, 31, 31)] * 2 + [(0, 0, 32)]
    (histogram,) = colour_histograms(np.array(pixels, np.uint8).reshape(1, 4, 4, 3))
    expected = np.zeros(512)
    expected[place(255, 0, 0)] = 3 / 4
    expected[place(0, 255, 0)] = 2 / 4
    expected[place(31, 31, 31)] = np.sqrt(2) / 4
    expected[place(0, 0, 32)] = 1 / 4
    np.testing.assert_allclose(histogram, expected, atol=1e-6)
    assert histogram[448] == pytest.approx(0.75)  # 7 of 8 in red is 7 * 64


def test_levels_of_one_bin_are_one_colour_and_the_next_level_is_another():
    images = np.array([[[[64, 0, 0]]], [[[95, 31, 31]]], [[[96, 0, 0]]]], np.uint8)
    first, same, other = colour_histograms(images)
    assert first @ same == 1
    assert first @ other == 0


@given(IMAGES)
def test_histograms_have_unit_length_and_nothing_negative(images):
    histograms = colour_histograms(images)
    assert histograms.shape == (len(images), 512)
    assert histograms.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(histograms, axis=1), 1, atol=1e-5)
    assert histograms.min() >= 0


@given(IMAGES)
def test_the_place_of_a_colour_does_not_matter(images):
    np.testing.assert_array_equal(
        colour_histograms(images[:, ::-1, ::-1]), colour_histograms(images)
    )


@given(IMAGES)
def test_a_batch_is_its_pictures(images):
    one_by_one = np.concatenate([colour_histograms(image[None]) for image in images])
    np.testing.assert_array_equal(colour_histograms(images), one_by_one)
