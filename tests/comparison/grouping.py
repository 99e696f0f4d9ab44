"""Vectors with known groups of duplicates, and those groups by definition."""

import numpy as np

from bento_service.catalogue.records import DescriptorSpace
from bento_service.comparison.duplicate_groups import GroupQuery
from bento_service.descriptors.version import Thresholds

DIMENSION = 16
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
LINE = 0.9
LINES = {SPACE.fingerprint: Thresholds(duplicate=0.95, near_duplicate=LINE)}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def clusters(sizes, seed=0, spread=0.05):
    """Return vectors around one direction for each size, that many each, in random order."""
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((len(sizes), DIMENSION)))
    vectors = np.repeat(centres, sizes, axis=0)
    vectors = unit(vectors + spread * random.standard_normal(vectors.shape))
    return vectors[random.permutation(len(vectors))]


def all_with_all(ids, vectors, line):
    """Return the groups by definition: the connected components of all pairs."""
    scores = vectors.astype(np.float32).astype(np.float64)
    scores = scores @ scores.T
    left, groups = set(range(len(ids))), []
    while left:
        edge = [left.pop()]
        group = set(edge)
        while edge:
            new = {other for other in left if scores[edge[-1], other] >= line}
            edge.pop()
            left -= new
            group |= new
            edge += new
        if len(group) > 1:
            groups.append(sorted(ids[one] for one in group))
    return sorted(groups)


def walked(duplicates, **options):
    """Return all groups, page by page, and the number of pages."""
    after, groups, pages = 0, [], 0
    while after is not None:
        page = duplicates.page(GroupQuery("cats", after=after, **options))
        groups += page.groups
        pages += 1
        assert after is None or page.after is None or page.after > after
        after = page.after
    return groups, pages


def ids_of(groups):
    return [sorted(member.image.id for member in group.members) for group in groups]
