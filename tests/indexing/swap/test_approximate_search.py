"""Searches and filters with an approximate index of a real Milvus server."""

import asyncio
import hashlib

import numpy as np
import pytest
from sqlalchemy import update

from bento_service.catalogue import Catalogue
from bento_service.catalogue.tables import images
from bento_service.filters.parser import parse
from bento_service.gallery.index_types import IndexType
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.search.filtered import FilterLimits
from bento_service.search.nearest import SearchMethod
from bento_service.search.query import Query
from tests.indexing.swap.swapping import SPACE, IndexedCollection, exact, ids_of, random_units
from tests.support.catalogues import sqlite_catalogue
from tests.support.pictures import png

IMAGES = 3000
PAIRS = 40
"""Images that have the descriptor of another image."""


@pytest.fixture(scope="module")
def _hnsw(tmp_path_factory, milvus_server):
    """Yield an approximate index that tests only read."""
    vectors = random_units(IMAGES, seed=1)
    vectors[-PAIRS:] = vectors[:PAIRS]
    folder = tmp_path_factory.mktemp("hnsw")
    with (
        MilvusGallery(milvus_server.uri) as gallery,
        Catalogue.open(sqlite_catalogue(folder / "c.db")) as found,
    ):
        indexed = IndexedCollection(found, gallery, vectors)
        indexed.bring_to(IndexType.HNSW)
        yield indexed
        indexed.drop()


@pytest.fixture
def hnsw(_hnsw):
    return _hnsw


# Searching an approximate index


def test_pages_of_an_approximate_index_neither_repeat_nor_miss_an_image(hnsw):
    query = random_units(1, seed=9)[0]
    whole = ids_of(hnsw.search(query, top_k=1000))
    for size in (7, 50, 100):
        pages = [ids_of(hnsw.search(query, top_k=size, offset=at)) for at in range(0, 1000, size)]
        assert [one for page in pages for one in page][:1000] == whole
    assert len(set(whole)) == 1000


def test_pending_images_have_their_place_on_every_page(make_indexed):
    indexed = make_indexed(random_units(600, seed=6))
    indexed.bring_to(IndexType.HNSW)
    indexed.catalogue.changes.touch(indexed.index, set(range(1, 300)))
    query = random_units(1, seed=10)[0]
    whole = ids_of(indexed.search(query, top_k=500))
    pages = [ids_of(indexed.search(query, top_k=60, offset=at)) for at in range(0, 500, 60)]
    assert [one for page in pages for one in page][:500] == whole
    assert len(set(whole)) == 500


def test_an_approximate_index_finds_nearly_all_and_exact_search_all(hnsw):
    hits = 0
    for query in random_units(20, seed=11):
        wanted = (exact(hnsw.vectors, query)[:10] + 1).tolist()
        assert ids_of(hnsw.search(query, top_k=10, exact=True)) == wanted
        hits += len(set(wanted) & set(ids_of(hnsw.search(query, top_k=10))))
    assert hits >= 198


def test_equal_pictures_are_found_first_in_the_order_of_their_ids(hnsw):
    for number in range(1, PAIRS + 1, 7):
        twin = IMAGES - PAIRS + number
        found = hnsw.searcher.by_id(Query("cats", top_k=2), twin).hits
        assert ids_of(found) == [number, twin]
        assert [one.score for one in found] == [1.0, 1.0]


def test_a_stored_image_finds_itself_even_where_the_index_misses_it(hnsw, monkeypatch):
    search = MilvusGallery.search

    def missing(self, name, query, **options):
        near = search(self, name, query, **options)
        return [one for one in near if one.image_id != 2000]

    monkeypatch.setattr(MilvusGallery, "search", missing)
    found = hnsw.searcher.by_id(Query("cats", top_k=3), 2000).hits
    assert (found[0].image.id, found[0].score) == (2000, 1.0)


def test_a_stored_picture_is_found_even_where_the_index_misses_it(hnsw, monkeypatch):
    content = png("red")
    digest = hashlib.sha256(content).hexdigest()
    with hnsw.catalogue.database.writing() as connection:
        connection.execute(update(images).where(images.c.id == 2001).values(sha256=digest))
    search = MilvusGallery.search

    def missing(self, name, query, **options):
        near = search(self, name, query, **options)
        return [one for one in near if one.image_id != 2001]

    async def as_stored(pixels):
        return {SPACE.fingerprint: hnsw.vectors[2000:2001]}

    monkeypatch.setattr(MilvusGallery, "search", missing)
    result = asyncio.run(hnsw.searching(as_stored).by_picture(Query("cats", top_k=3), content))
    assert (result.hits[0].image.id, result.hits[0].score) == (2001, 1.0)


def test_hits_below_min_score_are_left_out_by_an_approximate_index(hnsw):
    query = hnsw.vectors[50]
    found = hnsw.search(query, top_k=1000, min_score=0.35)
    wanted = int((hnsw.vectors.astype(np.float64) @ query >= 0.35).sum())
    assert 10 < wanted < 128
    assert len(found) == wanted
    assert min(one.score for one in found) >= 0.35


def test_an_explanation_names_the_index_and_the_method(hnsw):
    searcher = hnsw.searcher

    def explanation(**options):
        return searcher.by_id(Query("cats", **options), 5).explanation()

    usual, exact = explanation(), explanation(exact=True)
    assert usual["index_type"] == exact["index_type"] == "HNSW"
    assert (usual["exact"], usual["way"]) == (False, SearchMethod.INDEX)
    assert (exact["exact"], exact["way"]) == (True, SearchMethod.ALL_COMPARED)
    few = explanation(which=parse("number < 10"))
    assert (few["exact"], few["way"]) == (True, SearchMethod.PASSING_COMPARED)


# Filters


METHODS = {
    "compared": (SearchMethod.PASSING_COMPARED, FilterLimits(compared=10_000)),
    "pushed down": (SearchMethod.PUSHED_DOWN, FilterLimits(compared=0, send_above=0, read_above=0)),
    "by the index, ids known": (
        SearchMethod.INDEX_FILTERED,
        FilterLimits(compared=0, send_above=10**9, read_above=0),
    ),
    "by the index": (
        SearchMethod.INDEX_FILTERED,
        FilterLimits(compared=0, send_above=10**9, read_above=10**9),
    ),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("text", ["number >= 500", "number < 60", "not number in [1, 2, 3]"])
def test_every_method_gives_a_filter_the_same_hits(name, text, hnsw):
    method, limits = METHODS[name]
    searcher = hnsw.searching(filter_limits=limits)
    which = parse(text)
    passing = np.array(hnsw.catalogue.filtered.ids(hnsw.cats.id, which))
    hits = 0
    for number in (7, 77, 777):
        result = searcher.by_id(Query("cats", top_k=20, which=which), number)
        assert result.method is method
        query = hnsw.vectors[number - 1]
        wanted = passing[exact(hnsw.vectors[passing - 1], query)[:20]].tolist()
        hits += len(set(wanted) & set(ids_of(result.hits)))
        pages = [
            ids_of(hnsw.search(query, searcher, top_k=6, offset=at, which=which))
            for at in range(0, 60, 6)
        ]
        whole = ids_of(hnsw.search(query, searcher, top_k=60, which=which))
        assert [one for page in pages for one in page] == whole
        exact_result = searcher.by_id(Query("cats", top_k=20, which=which, exact=True), number)
        assert ids_of(exact_result.hits) == wanted
    assert hits >= 59
