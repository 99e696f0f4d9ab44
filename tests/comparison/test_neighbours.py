"""The nearest images of an image, just after deletions that no index has applied yet."""

import numpy as np
import pytest

from bento_service.comparison.neighbours import Neighbours
from tests.comparison.grouping import DIMENSION, clusters, unit


@pytest.fixture
def neighbours(catalogue, gallery, cats):
    """Return a constructor of `Neighbours`, which reads the changes that the index lacks."""
    return lambda: Neighbours(catalogue, gallery, catalogue.indexes.get(cats.index.id))


def test_an_image_that_is_deleted_meanwhile_has_no_neighbours(
    neighbours, add, replayed, catalogue, cats
):
    ids = add(clusters([3]))
    replayed()
    opened = neighbours()
    catalogue.images.delete(cats.id, ids[1:2])
    assert opened.below(ids[1], 5) == []


def test_deleted_images_take_no_place_of_a_neighbour(neighbours, add, replayed, catalogue, cats):
    """The nearest half of all images is deleted."""
    vectors = unit(np.eye(DIMENSION)[0] + np.arange(13)[:, None] * np.eye(DIMENSION)[1] / 20)
    ids = add(vectors[::-1])
    replayed()
    catalogue.images.delete(cats.id, ids[6:12])
    opened, expected = neighbours(), ids[:6][::-1]
    of = opened.of(opened.descriptors([ids[12]]), 4)
    assert [near.image_id for near in of[ids[12]]] == expected[:4]
    assert [near.image_id for near in opened.below(ids[12], 4)][:4] == expected[:4]
