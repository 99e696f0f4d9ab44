"""Positions that the coarse search finds, on pictures of noise that were moved by known amounts."""

import numpy as np
import pytest

from bento_service.comparison.coarse_alignment import (
    CANDIDATES,
    COARSE_SIDE,
    best_at_some_scales,
    candidates,
)


@pytest.fixture
def detail():
    return np.random.default_rng(7).normal(size=(COARSE_SIDE, COARSE_SIDE)).astype(np.float32)


@pytest.mark.parametrize(("down", "across"), [(0, 0), (3, -5), (-8, 8), (1, 0)])
def test_a_shifted_picture_is_found_at_its_shift(detail, down, across):
    moved = np.roll(detail, (down, across), axis=(0, 1))
    peak, orientations, maps = candidates(detail, moved[np.newaxis])
    assert peak == pytest.approx(1, abs=1e-5)
    assert (orientations[0], orientations.shape) == (0, (CANDIDATES,))
    assert maps.shape == (CANDIDATES, 2, 3)
    step = 2 / COARSE_SIDE  # places go from -1 to 1
    np.testing.assert_allclose(maps[0], [[1, 0, across * step], [0, 1, down * step]], atol=1e-6)


def test_the_orientation_that_fits_is_the_first_candidate(detail):
    noise = np.random.default_rng(8).normal(size=(2, COARSE_SIDE, COARSE_SIDE))
    moving = np.stack([*noise.astype(np.float32), detail])
    _, orientations, _ = candidates(detail, moving)
    assert orientations[0] == 2


@pytest.mark.parametrize("stretch", [(0.88, 0.88), (1.13, 1.0), (1.0, 1.06)])
def test_a_scaled_picture_correlates_best_at_its_scale(stretch):
    places = np.arange(4 * COARSE_SIDE)
    waves = np.sin(places / 1.5) + np.sin(places / 2.3 + 1) + np.sin(places / 3.1 + 2)
    middle = (COARSE_SIDE - 1) / 2

    def drawn(down, across):
        lines = [
            np.interp((np.arange(COARSE_SIDE) - middle) / scale + 2 * COARSE_SIDE, places, waves)
            for scale in (down, across)
        ]
        return np.outer(*lines).astype(np.float32)

    peak, _, maps = candidates(drawn(1, 1), drawn(*stretch)[np.newaxis])
    assert peak > 0.9
    np.testing.assert_allclose((maps[0][1, 1], maps[0][0, 0]), stretch, rtol=0.02)


def test_different_noise_has_no_position(detail):
    other = np.random.default_rng(9).normal(size=(3, COARSE_SIDE, COARSE_SIDE))
    peak, _, _ = candidates(detail, other.astype(np.float32))
    assert peak < 0.3


def test_an_empty_picture_has_no_position(detail):
    empty = np.zeros((1, COARSE_SIDE, COARSE_SIDE), np.float32)
    assert candidates(detail, empty)[0] == 0


def test_some_scales_give_lower_bounds_of_the_best_correlations_of_many_pictures():
    noise = np.random.default_rng(10).normal(size=(20, 4, COARSE_SIDE, COARSE_SIDE))
    fixed, moving = noise[:, 0].astype(np.float32), noise[:, 1:].astype(np.float32)
    moving[3, 1] = np.roll(fixed[3], (2, -4), axis=(0, 1))
    bounds = best_at_some_scales(fixed, moving)
    best = [
        [candidates(one, other[np.newaxis])[0] for other in others]
        for one, others in zip(fixed, moving, strict=True)
    ]
    assert bounds.shape == (20, 3)
    assert (bounds <= np.array(best) + 1e-5).all()
    assert bounds[3, 1] == pytest.approx(1, abs=1e-5)
    assert np.delete(bounds, 3, axis=0).max() < 0.3
