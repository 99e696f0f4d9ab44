"""Indexes of other types on a real Milvus server: swaps, pages and methods of filters."""

import asyncio
import hashlib
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert, update

from bento_service.catalogue import Catalogue
from bento_service.catalogue.images.attributes import add_attributes
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import descriptors, images
from bento_service.descriptors.describer import Describer
from bento_service.filters.parser import parse
from bento_service.gallery.index_types import IndexRule, IndexType
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay, ReplayPace
from bento_service.search.filtered import FilterLimits
from bento_service.search.nearest import SearchMethod
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.search.query import Query
from tests.support import indexes
from tests.support.catalogues import sqlite_catalogue
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.processes import child
from tests.support.waiting import running, wait_until

PROJECT = Path(__file__).parents[2]
DIMENSION = 32
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
DECODER = LocalDecoder(max_pixels=10_000)
IMAGES = 3000
PAIRS = 40
"""Images that have the descriptor of another image."""


random_units = partial(indexes.random_units, dimension=DIMENSION)


def add(catalogue, collection, vectors, first):
    """Commit images with these descriptors, ids from `first`."""
    ids = range(first, first + len(vectors))
    rows = [
        {
            "id": image_id,
            "collection_id": collection.id,
            "sha256": f"{image_id:064}",
            "format": "PNG",
            "width": 20,
            "height": 10,
            "bytes": 99,
            "metadata": {"number": image_id},
            "created_at": collection.created_at,
        }
        for image_id in ids
    ]
    with catalogue.database.writing() as connection:
        revision = next_revision(connection, collection.id)
        connection.execute(insert(images), rows)
        connection.execute(
            insert(descriptors),
            [
                {
                    "image_id": image_id,
                    "index_id": collection.index.id,
                    "revision": revision,
                    "descriptor": vector.tobytes(),
                }
                for image_id, vector in zip(ids, vectors, strict=True)
            ],
        )
        metadata = {image_id: {"number": image_id} for image_id in ids}
        add_attributes(connection, collection.id, metadata)


def exact(vectors, query):
    """Return the positions of the images, best first, ties by position."""
    cosines = np.round(vectors.astype(np.float64) @ query.astype(np.float64), 6)
    return np.lexsort((np.arange(len(vectors)), -cosines))


@pytest.fixture(scope="module")
def gallery(milvus_server):
    with MilvusGallery(milvus_server.uri) as opened:
        yield opened


class Room:
    """A catalogue over the server, with one collection of ids from 1."""

    def __init__(self, catalogue, gallery, vectors):
        self.catalogue = catalogue
        self.gallery = gallery
        self.vectors = vectors
        self.cats = catalogue.collections.create("cats", SPACE)
        add(catalogue, self.cats, vectors, 1)
        self.searcher = self.searching()

    def searching(self, describe=None, **options):
        computed = Computed((SPACE,))
        return PictureSearcher(
            self.catalogue,
            self.gallery,
            Describer(DECODER, describe, side=4),
            computed=computed,
            **options,
        )

    def following(self, choice="auto", **options):
        return Replay(
            self.catalogue,
            self.gallery,
            on_purged=lambda digests: None,
            swap=IndexSwap(
                self.catalogue,
                self.gallery,
                IndexRule(choice, embedded=False, **options),
                building_seconds=0.1,
            ),
            pace=ReplayPace(gather_seconds=0.01),
        )

    @property
    def index(self):
        return self.catalogue.collections.named("cats").index

    def kind(self):
        index = self.index
        return self.gallery.kind(index.name) if index.applied else None

    def bring_to(self, kind):
        with self.following(kind.lower()) as replay:
            wait_until(lambda: self.is_settled(replay, kind))

    def is_settled(self, replay, kind):
        index = self.index
        return (
            index.applied >= index.revision
            and replay.is_open(index)
            and index.replacement is None
            and self.kind() is kind
        )

    def search(self, query, searcher=None, **options):
        return (searcher or self.searcher).by_descriptor(Query("cats", **options), query).hits

    def drop(self):
        for index in self.catalogue.indexes.all():
            for name in index.names:
                self.gallery.drop(name)


@pytest.fixture
def make_room(tmp_path, gallery):
    made = []

    def make(vectors):
        catalogue = Catalogue.open(sqlite_catalogue(tmp_path / f"catalogue-{len(made)}.db"))
        made.append(Room(catalogue, gallery, vectors))
        return made[-1]

    yield make
    for room in made:
        room.drop()
        room.catalogue.__exit__()


@pytest.fixture(scope="module")
def _hnsw(tmp_path_factory, milvus_server):
    """An approximate index that tests only read."""
    vectors = random_units(IMAGES, seed=1)
    vectors[-PAIRS:] = vectors[:PAIRS]
    folder = tmp_path_factory.mktemp("hnsw")
    with (
        MilvusGallery(milvus_server.uri) as gallery,
        Catalogue.open(sqlite_catalogue(folder / "c.db")) as found,
    ):
        room = Room(found, gallery, vectors)
        room.bring_to(IndexType.HNSW)
        yield room
        room.drop()


@pytest.fixture
def hnsw(_hnsw):
    return _hnsw


def ids_of(found):
    return [one.image.id for one in found]


# Exchanging


def test_a_collection_that_outgrows_its_index_gets_another_without_failed_searches(make_room):
    vectors = random_units(2000, seed=2)
    room = make_room(vectors[:1400])
    failures, stop = [], threading.Event()

    def search_on():
        number = 0
        while not stop.is_set():
            number = (number + 1) % 1400
            try:
                (best,) = ids_of(room.search(vectors[number], top_k=1))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                failures.append(error)
            else:
                if best != number + 1:
                    failures.append((number + 1, best))

    with room.following(max_flat=1500) as replay:
        wait_until(lambda: room.is_settled(replay, IndexType.FLAT))
        before = room.index.name
        with running(threading.Thread(target=search_on), stop=stop.set):
            add(room.catalogue, room.cats, vectors[1400:], 1401)
            room.catalogue.images.delete(room.cats.id, [1500, 1501])
            replay.wake()
            wait_until(lambda: room.is_settled(replay, IndexType.HNSW))
            wait_until(lambda: before not in room.gallery.names())

    assert failures == []
    assert room.gallery.ids(room.index.name) == set(range(1, 2001)) - {1500, 1501}
    assert ids_of(room.search(vectors[1800], top_k=1)) == [1801]


EXCHANGE = """
import sys
sys.path.insert(0, ".")
from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.gallery.index_types import IndexRule
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay
url, uri = sys.argv[1:]
catalogue, gallery = Catalogue.open(url), MilvusGallery(uri)
rule = IndexRule("ivf_sq8", embedded=False)
swap = IndexSwap(catalogue, gallery, rule, changes_per_step=100, steps_per_turn=1)
with Replay(catalogue, gallery, on_purged=lambda digests: None, swap=swap):
    sys.stdin.read()
"""


def test_a_swap_continues_after_a_kill_at_every_stage(make_room, milvus_server):
    vectors = random_units(1500, seed=3)
    room = make_room(vectors[:100])
    for at in range(100, 1500, 100):  # each in a revision of its own
        add(room.catalogue, room.cats, vectors[at : at + 100], at + 1)
    room.bring_to(IndexType.FLAT)
    url, first = str(room.catalogue.database._engine.url), room.index.name
    stages = (
        lambda index: index.replacement is not None,
        lambda index: index.replacement is not None and index.replacement.applied > 0,
        lambda index: index.replacement is not None and index.replacement.applied > 12,
        lambda index: index.name != first,
    )
    for number, reached in enumerate(stages, start=1):
        command = [sys.executable, "-c", EXCHANGE, url, milvus_server.uri]
        with child(command, cwd=PROJECT, stdin=subprocess.PIPE):
            # A fast machine may be past this stage before it is asked.
            wait_until(lambda reached=reached: reached(room.index) or room.index.name != first)
        assert ids_of(room.search(vectors[700], top_k=1)) == [701]
        room.catalogue.images.delete(room.cats.id, [number])
    room.bring_to(IndexType.IVF_SQ8)

    assert room.gallery.ids(room.index.name) == set(range(5, 1501))
    wanted = exact(vectors[4:], vectors[900])[:5] + 5
    assert ids_of(room.search(vectors[900], top_k=5)) == wanted.tolist()
    prefix = room.index.name.rpartition("_")[0]
    own = [name for name in room.gallery.names() if name.startswith(prefix)]
    assert own == [room.index.name]


def test_a_swap_that_is_no_longer_wanted_is_given_up(make_room):
    room = make_room(random_units(10, seed=4))
    room.bring_to(IndexType.FLAT)
    room.catalogue.replacements.begin(room.index, "HNSW")
    replacement = room.index.replacement.name
    room.gallery.prepare(replacement, DIMENSION)
    room.bring_to(IndexType.FLAT)
    assert replacement not in room.gallery.names()


def test_tombstones_stay_until_the_replacement_has_applied_them(make_room):
    room = make_room(random_units(10, seed=5))
    room.bring_to(IndexType.FLAT)
    room.catalogue.replacements.begin(room.index, "HNSW")
    room.catalogue.replacements.set_applied(room.index.replacement, room.index.revision)
    room.catalogue.images.delete(room.cats.id, [3])
    room.catalogue.indexes.set_applied(room.index.id, room.index.revision)
    room.catalogue.images.purge(room.cats.id)
    changes = room.catalogue.changes.page(room.index.id, after=(0, 0), limit=100)
    assert [one.image_id for one in changes if one.deleted] == [3]


# Searching an approximate index


def test_pages_of_an_approximate_index_neither_repeat_nor_miss_an_image(hnsw):
    query = random_units(1, seed=9)[0]
    whole = ids_of(hnsw.search(query, top_k=1000))
    for size in (7, 50, 100):
        pages = [ids_of(hnsw.search(query, top_k=size, offset=at)) for at in range(0, 1000, size)]
        assert [one for page in pages for one in page][:1000] == whole
    assert len(set(whole)) == 1000


def test_pending_images_have_their_place_on_every_page(make_room):
    room = make_room(random_units(600, seed=6))
    room.bring_to(IndexType.HNSW)
    room.catalogue.changes.touch(room.index, set(range(1, 300)))
    query = random_units(1, seed=10)[0]
    whole = ids_of(room.search(query, top_k=500))
    pages = [ids_of(room.search(query, top_k=60, offset=at)) for at in range(0, 500, 60)]
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
