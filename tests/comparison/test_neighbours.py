"""The nearest images of an image, just after deletions that no index has applied yet."""

import pytest

from bento_service.comparison.neighbours import Neighbours
from tests.comparison.grouping import clusters


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
