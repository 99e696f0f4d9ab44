"""The cache of Milvus Lite's small indexes."""

import numpy as np
import pytest

from bento_service.errors import IndexUnavailable
from bento_service.gallery.cached_lite import CachedLite
from tests.gallery.conftest import DIMENSION
from tests.gallery.finding import CONDITIONS
from tests.gallery.test_exact import Stored

ROW = 4 * DIMENSION


@pytest.fixture
def stored():
    """Return the catalogue's rows, which a test fills."""
    return Stored()


@pytest.fixture
def cached(tmp_path, stored, unit_vectors):
    """Milvus Lite with a cache for 100 rows, and 20 rows in an index that is not cached yet."""
    with CachedLite(str(tmp_path / "milvus.db"), stored, max_bytes=100 * ROW) as opened:
        add(opened, stored, "index", range(1, 21), unit_vectors(20))
        yield opened


def add(gallery, stored, name, ids, vectors):
    """Write rows into the catalogue, and into an index, as replay does."""
    gallery.open(name, DIMENSION)
    stored.rows[name] = (np.array(ids, np.int64), np.array(vectors, np.float32))
    gallery.upsert(name, list(ids), list(vectors))


def only_in_memory(gallery, monkeypatch):
    """Let every search that reaches Milvus Lite fail."""

    def refuse(*_, **__):
        raise IndexUnavailable("not cached")

    monkeypatch.setattr(gallery, "_search", refuse)


def is_cached(gallery, name, monkeypatch):
    with monkeypatch.context() as patched:
        only_in_memory(gallery, patched)
        try:
            gallery.search(name, np.ones(DIMENSION, np.float32), top_k=1)
        except IndexUnavailable:
            return False
        return True


@pytest.mark.parametrize(("conditions", "passing"), CONDITIONS)
def test_the_cache_and_milvus_lite_give_the_same_hits(
    conditions, passing, cached, unit_vectors, monkeypatch
):
    query = unit_vectors(1, seed=1)[0]
    by_lite = cached.search("index", query, top_k=20, **conditions)
    cached.cache({"index": 20 * ROW})
    assert is_cached(cached, "index", monkeypatch)
    by_cache = cached.search("index", query, top_k=20, **conditions)
    assert {hit.image_id for hit in by_cache} == passing
    assert [hit.image_id for hit in by_cache] == [hit.image_id for hit in by_lite]
    scores = [hit.score for hit in by_lite]
    assert [hit.score for hit in by_cache] == pytest.approx(scores, abs=1e-6)
    (each,) = cached.search_each("index", query[np.newaxis], top_k=20)
    assert [hit.image_id for hit in each][:3] == [
        hit.image_id for hit in cached.search("index", query, top_k=3)
    ]


def test_the_cache_follows_every_write(cached, unit_vectors, monkeypatch):
    cached.cache({"index": 20 * ROW})
    moved, new = unit_vectors(2, seed=7)
    cached.upsert("index", [5, 77], [moved, new])
    cached.delete("index", [6, 7])
    only_in_memory(cached, monkeypatch)
    near = cached.search("index", moved, top_k=50)
    assert {hit.image_id for hit in near} == {*range(1, 21), 77} - {6, 7}
    assert (near[0].image_id, near[0].score) == (5, pytest.approx(1.0, abs=1e-6))


def test_milvus_lite_is_searched_where_its_rows_are_checked(cached, unit_vectors, monkeypatch):
    cached.cache({"index": 20 * ROW})
    only_in_memory(cached, monkeypatch)
    with pytest.raises(IndexUnavailable, match="not cached"):
        cached.search_stored("index", unit_vectors(1)[0], top_k=1)


def test_the_smallest_indexes_that_fit_together_are_cached(
    cached, stored, unit_vectors, monkeypatch
):
    for name, rows in (("large", 60), ("small", 10)):
        add(cached, stored, name, range(rows), unit_vectors(rows, seed=rows))
    cached.cache({"large": 90 * ROW, "index": 20 * ROW, "small": 10 * ROW})
    names = ("small", "index", "large")
    assert [is_cached(cached, name, monkeypatch) for name in names] == [True, True, False]
    assert 0 < cached.cached_bytes <= 100 * ROW
    cached.cache({"large": 60 * ROW, "index": 20 * ROW})
    assert [is_cached(cached, name, monkeypatch) for name in names] == [False, True, True]


def test_an_index_that_outgrows_the_cache_is_searched_in_milvus_lite(
    cached, unit_vectors, monkeypatch
):
    cached.cache({"index": 20 * ROW})
    vectors = unit_vectors(200, seed=3)
    for at in range(0, 200, 20):
        cached.upsert("index", range(100 + at, 120 + at), list(vectors[at : at + 20]))
        assert cached.cached_bytes <= 100 * ROW
    assert not is_cached(cached, "index", monkeypatch)
    assert len(cached.search("index", vectors[0], top_k=500)) == 220


def test_rows_that_were_deleted_give_their_memory_back(cached, unit_vectors):
    cached.cache({"index": 20 * ROW})
    cached.upsert("index", range(100, 140), list(unit_vectors(40, seed=4)))
    before = cached.cached_bytes
    cached.delete("index", range(100, 140))
    assert cached.cached_bytes < before / 1.5


def test_a_dropped_index_is_not_cached(cached, unit_vectors):
    cached.cache({"index": 20 * ROW})
    cached.drop("index")
    assert cached.cached_bytes == 0
    with pytest.raises(IndexUnavailable):
        cached.search("index", unit_vectors(1)[0], top_k=1)
