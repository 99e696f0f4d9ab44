"""The score and the distance of a cosine."""

import pytest

from bento_service.gallery.cosines import distance_of, score_of


@pytest.mark.parametrize(
    ("cosine", "score", "distance"),
    [
        (1.0 + 1e-7, 1.0, 0.0),
        (1.0 - 1e-7, 1.0, 0.0),
        (1.0 - 4e-7, 1.0, 0.0009),  # the distance tells what the score does not
        (0.9999994, 0.999999, 0.0011),
        (0.5, 0.5, 1.0),
        (0.123456789, 0.123457, 1.324),
        (0.0, 0.0, 1.4142),
        (-1.0 - 1e-7, -1.0, 2.0),
    ],
)
def test_a_distance_comes_from_the_unrounded_cosine(cosine, score, distance):
    assert (score_of(cosine), distance_of(cosine)) == (score, distance)
