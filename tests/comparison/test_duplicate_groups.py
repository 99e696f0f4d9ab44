"""Groups of duplicates, found by real indexes, against comparing all pairs."""

import numpy as np
import pytest

from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.comparison.duplicate_groups import Duplicates, GroupQuery
from bento_service.comparison.links import LinkLimits
from bento_service.errors import CollectionNotFound, Conflict, IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay
from tests.comparison.grouping import (
    DIMENSION,
    LINE,
    LINES,
    SPACE,
    all_with_all,
    clusters,
    ids_of,
    walked,
)
from tests.support.waiting import wait_until


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize("line", [0.9, 0.6])
def test_groups_are_those_of_comparing_all_with_all(finding, add, replayed, limit, line):
    duplicates = finding(link_limits=LinkLimits(images_per_call=7))
    vectors = clusters([1] * 20 + [2, 2, 3, 5, 9, 40])
    ids = add(vectors[:60])
    replayed()
    ids += add(vectors[60:])  # which the index lacks

    groups, _ = walked(duplicates, limit=limit, min_score=line)

    expected = all_with_all(ids, vectors, line)
    assert len(expected) > 4
    assert sorted(ids_of(groups)) == expected
    firsts = [group.members[0].image.id for group in groups]
    assert firsts == sorted(firsts) == [min(ids) for ids in ids_of(groups)]
    assert all(group.is_whole for group in groups)


def test_a_page_ends_in_time_and_the_next_continues(duplicates, add, replayed):
    ids = add(clusters([2] * 40))
    replayed()
    after, found, pages = 0, [], 0
    while after is not None:
        page = duplicates.page(GroupQuery("cats", LINE, after=after), seconds=0.0)
        assert page.examined == 1
        found, after, pages = found + list(page.groups), page.after, pages + 1
        if after is None:
            break
        page = duplicates.page(GroupQuery("cats", LINE, after=after, limit=5))
        found, after, pages = found + list(page.groups), page.after, pages + 1
    assert sorted(ids_of(found)) == all_with_all(ids, clusters([2] * 40), 0.9)
    assert pages > 8


def test_deleted_images_are_in_no_group_before_replay(duplicates, add, replayed, catalogue, cats):
    vectors = clusters([3, 2, 2])
    ids = add(vectors)
    replayed()
    gone = ids_of(walked(duplicates, min_score=LINE)[0])[0][0]
    catalogue.images.delete(cats.id, [gone])  # and the index still holds it
    left = [(one, vector) for one, vector in zip(ids, vectors, strict=True) if one != gone]
    expected = all_with_all([one for one, _ in left], np.stack([v for _, v in left]), 0.9)
    assert sorted(ids_of(walked(duplicates, min_score=LINE)[0])) == expected


def test_a_large_group_is_cut_and_says_so(finding, add, replayed):
    duplicates = finding(max_group=10, link_limits=LinkLimits(neighbours=20))
    vectors = clusters([120, 2], spread=0.01)
    ids = add(vectors)
    replayed()
    groups, _ = walked(duplicates, min_score=LINE)
    crowd, pair = sorted(groups, key=lambda group: -len(group.members))
    assert (len(crowd.members), crowd.is_whole) == (10, False)
    assert crowd.members[0].image.id == min(all_with_all(ids, vectors, 0.9)[0])
    assert (len(pair.members), pair.is_whole) == (2, True)


def test_pending_images_are_compared_without_an_index(duplicates, add):
    vectors = clusters([2, 2, 1])
    ids = add(vectors)  # without replay
    assert sorted(ids_of(walked(duplicates, min_score=LINE)[0])) == all_with_all(ids, vectors, 0.9)


def test_unknown_and_incomparable_collections_are_errors(duplicates, catalogue):
    with pytest.raises(CollectionNotFound):
        duplicates.page(GroupQuery("dogs"))
    other = DescriptorSpace("vgg16-mac", "vgg16:two", "e" * 64, DIMENSION, "fp32")
    catalogue.collections.create("dogs", other)
    with pytest.raises(Conflict):
        duplicates.page(GroupQuery("dogs"))


def test_without_milvus_duplicates_are_refused(catalogue, add, replayed, tmp_path, free_port):
    with MilvusGallery(str(tmp_path / "own.db")) as own:
        add(clusters([2]))
        with Replay(catalogue, own, on_purged=lambda _: None):
            wait_until(lambda: catalogue.indexes.all()[0].applied >= 1)
    with MilvusGallery(f"http://127.0.0.1:{free_port}") as nowhere:
        walking = Duplicates(catalogue, nowhere, computed=Computed((SPACE,)), lines=LINES)
        with pytest.raises(IndexUnavailable):
            walking.page(GroupQuery("cats"))
