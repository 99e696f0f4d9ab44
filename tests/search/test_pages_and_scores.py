"""Pages and scores of searches."""

import numpy as np
import pytest

from bento_service.errors import (
    InvalidArgument,
)
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.search.query import Query
from tests.search.searching import DIMENSION, exact, ids_of, random_units, unit
from tests.support.indexes import on_both

# Pages


@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_pages_are_slices_of_one_long_result(applied, searcher, cats, add, apply):
    vectors = random_units(50)
    add(cats, vectors[:25])
    if applied != "none":
        apply()
    add(cats, vectors[25:])
    if applied == "all":
        apply()
    query = random_units(1, seed=9)[0]
    whole = searcher.by_descriptor(Query("cats", top_k=50), query).hits
    assert len(whole) == 50
    for offset in range(0, 60, 7):
        page = searcher.by_descriptor(Query("cats", top_k=7, offset=offset), query).hits
        assert page == whole[offset : offset + 7]


@on_both
@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_equal_scores_are_in_the_order_of_ids_on_every_page(
    applied, searcher, catalogue, cats, add, apply
):
    """Thirty images of one picture differ only by noise, as after re-encoding."""
    noise = 2e-3 * np.random.default_rng(3).standard_normal((30, DIMENSION))
    twins = unit(np.arange(1, 9) + noise)
    far = unit(np.arange(-8, 0))
    ids = add(cats, [far, *twins[:15]])
    if applied != "none":
        apply()
        catalogue.changes.touch(cats.index, ids[1:6])  # now they lie behind the others
        apply()
    ids += add(cats, [*twins[15:], far])
    if applied == "all":
        apply()
    seen = []
    for offset in range(0, 40, 4):
        page = searcher.by_descriptor(Query("cats", top_k=4, offset=offset), unit(range(1, 9))).hits
        seen += ids_of(page)
    assert seen == [*ids[1:31], ids[0], ids[31]]


def test_a_page_beyond_the_end_is_empty(searcher, cats, add):
    add(cats, random_units(3))
    query = random_units(1)[0]
    assert searcher.by_descriptor(Query("cats", top_k=5, offset=3), query).hits == ()
    assert searcher.by_descriptor(Query("cats", top_k=5, offset=1000), query).hits == ()


@on_both
def test_results_end_where_a_milvus_server_would_end(searcher, cats):
    query = random_units(1)[0]
    with pytest.raises(InvalidArgument, match="16385; at most 16384"):
        searcher.by_descriptor(Query("cats", top_k=1000, offset=15_385), query)
    assert searcher.by_descriptor(Query("cats", top_k=1000, offset=15_384), query).hits == ()


def test_rows_that_an_index_has_twice_are_found_once(searcher, cats, add, apply, monkeypatch):
    ids = add(cats, random_units(40))
    apply()
    search = MilvusGallery.search

    def twice(self, name, query, *, top_k, **options):
        near = search(self, name, query, top_k=top_k, **options)
        return [one for one in near for _ in range(2)][:top_k]

    query = random_units(1)[0]
    right = [one.image.id for one in searcher.by_descriptor(Query("cats", top_k=40), query).hits]
    monkeypatch.setattr(MilvusGallery, "search", twice)
    for top_k in (1, 7, 40, 100):
        found = searcher.by_descriptor(Query("cats", top_k=top_k), query).hits
        assert [one.image.id for one in found] == right[:top_k]
    assert sorted(right) == sorted(ids)


# Scores


def test_hits_below_min_score_are_left_out(searcher, cats, add, apply):
    vectors = random_units(40)
    ids = add(cats, vectors)
    apply()
    query = vectors[3]
    expected = [pair[0] for pair in exact(ids, vectors, query) if pair[1] >= 0.2]
    assert 3 < len(expected) < 37
    found = searcher.by_descriptor(Query("cats", top_k=40, min_score=0.2), query).hits
    assert ids_of(found) == expected
    second = searcher.by_descriptor(Query("cats", top_k=2, offset=2, min_score=0.2), query).hits
    assert ids_of(second) == expected[2:4]
    assert searcher.by_descriptor(Query("cats", min_score=1.0), query).hits[0].image.id == ids[3]
    assert len(searcher.by_descriptor(Query("cats", top_k=40, min_score=-1.0), query).hits) == 40


@pytest.mark.parametrize("applied", [True, False])
def test_scores_are_cosines_and_distances_are_euclidean(applied, searcher, cats, add, apply):
    vectors = random_units(200)
    by_id = dict(
        zip(add(cats, [*vectors, *-vectors[:20]]), [*vectors, *-vectors[:20]], strict=True)
    )
    if applied:
        apply()
    for query in vectors[:5]:
        found = searcher.by_descriptor(Query("cats", top_k=220), query).hits
        assert len(found) == 220
        for one in found:
            assert -1.0 <= one.score <= 1.0
            between = np.linalg.norm(by_id[one.image.id].astype(np.float64) - query)
            assert one.distance == pytest.approx(between, abs=2e-3)
        assert (found[0].score, found[0].distance) == (1.0, 0.0)
        assert (found[-1].score, found[-1].distance) == (-1.0, 2.0)
