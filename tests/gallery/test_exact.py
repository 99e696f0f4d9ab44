"""Exact search in memory."""

import threading

import numpy as np
import pytest

from bento_service.errors import IndexUnavailable
from bento_service.gallery.exact import ExactGallery
from bento_service.gallery.index_types import IndexType
from bento_service.gallery.rows import Rows
from tests.gallery.finding import CONDITIONS
from tests.support.waiting import join, wait_until

DIMENSION = 16


class Stored:
    """A storage of descriptors that counts how often it is read."""

    def __init__(self, ids=(), vectors=()):
        self.rows = {"index": (np.array(ids, np.int64), np.array(vectors, np.float32))}
        self.read = 0

    def __call__(self, name):
        self.read += 1
        if name not in self.rows:
            return None
        ids, vectors = self.rows[name]
        return ((ids[at : at + 7], vectors[at : at + 7]) for at in range(0, len(ids), 7))


def test_an_index_is_read_once_when_it_is_first_used(unit_vectors):
    vectors = unit_vectors(30)
    stored = Stored(range(1, 31), vectors)
    with ExactGallery(stored) as gallery:
        assert stored.read == 0
        (near,) = gallery.search("index", vectors[8], top_k=1)
        assert (near.image_id, near.score) == (9, pytest.approx(1.0, abs=1e-6))
        gallery.open("index", DIMENSION)
        assert gallery.ids("index") == set(range(1, 31))
        assert stored.read == 1


def test_an_index_without_stored_rows_starts_empty(unit_vectors):
    with ExactGallery(Stored()) as gallery:
        gallery.open("new", DIMENSION)
        assert gallery.search("new", unit_vectors(1)[0], top_k=5) == []
        gallery.upsert("new", [], [])
        gallery.upsert("new", [3], unit_vectors(1))
        assert gallery.ids("new") == {3}


def test_an_index_that_is_not_there_is_unavailable(unit_vectors):
    with ExactGallery(Stored()) as gallery, pytest.raises(IndexUnavailable):
        gallery.search("nowhere", unit_vectors(1)[0], top_k=5)


def test_dropping_an_index_twice_is_no_error(unit_vectors):
    with ExactGallery(Stored()) as gallery:
        gallery.open("gone", DIMENSION)
        assert gallery.names() == ["gone"]
        gallery.drop("gone")
        gallery.drop("gone")
        assert gallery.names() == []


def test_writes_have_the_same_result_as_in_a_dictionary(unit_vectors):
    random = np.random.default_rng(5)
    vectors = unit_vectors(4000)
    expected = {}
    with ExactGallery(Stored()) as gallery:
        gallery.open("index", DIMENSION)
        for number in range(200):
            ids = random.choice(600, size=20, replace=False).tolist()
            if number % 3 == 2:
                gallery.delete("index", ids)
                for one in ids:
                    expected.pop(one, None)
            else:
                some = vectors[number * 20 : number * 20 + 20]
                gallery.upsert("index", ids, list(some))
                expected.update(zip(ids, some, strict=True))
        assert gallery.ids("index") == set(expected)
        query = unit_vectors(1, seed=9)[0]
        cosines = {one: float(v.astype(np.float64) @ query) for one, v in expected.items()}
        near = gallery.search("index", query, top_k=50)
        best = sorted(cosines, key=lambda one: -cosines[one])[:50]
        assert [one.image_id for one in near] == best
        assert [one.score for one in near] == pytest.approx([cosines[b] for b in best], abs=1e-6)


def test_searches_during_writes_see_whole_rows(unit_vectors):
    vectors = unit_vectors(400)
    seen = []
    with ExactGallery(Stored(range(200), vectors[:200])) as gallery:

        def search():
            for _ in range(200):
                near = gallery.search("index", vectors[0], top_k=5)
                seen.append((near[0].image_id, round(near[0].score, 5)))

        searching = threading.Thread(target=search)
        searching.start()
        for number in range(200, 400):
            gallery.upsert("index", [number], [vectors[number]])
            gallery.delete("index", [number - 150] if number > 200 else [])
        join(searching)
    assert set(seen) == {(0, 1.0)}


class Holding(Rows):
    """Rows whose first search waits for the test."""

    def __init__(self, batches):
        super().__init__(batches)
        self.calls = []
        self.go = threading.Event()

    def nearest_each(self, queries, *others):
        self.calls.append(len(queries))
        if len(self.calls) == 1:
            assert self.go.wait(60)
        return super().nearest_each(queries, *others)


def test_searches_that_wait_are_answered_together_each_with_its_own_hits(unit_vectors):
    vectors = unit_vectors(40)
    rows, found = Holding([(np.arange(40), vectors)]), {}

    def search(number):
        found[number] = [hit.image_id for hit in rows.nearest(vectors[number], number + 1)]

    threads = [threading.Thread(target=search, args=(number,)) for number in range(6)]
    threads[0].start()
    wait_until(lambda: rows.calls)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(rows._waiting) == 5)
    rows.go.set()
    join(*threads)
    assert rows.calls == [1, 5]
    alone = {number: rows.nearest(vectors[number], number + 1) for number in range(6)}
    assert found == {number: [hit.image_id for hit in near] for number, near in alone.items()}
    assert all(ids[0] == number and len(ids) == number + 1 for number, ids in found.items())


@pytest.mark.parametrize("top_k", [1, 17, 300])
@pytest.mark.parametrize("count", [300, 20_000])
def test_the_nearest_of_many_rows_are_those_of_a_sorted_list(unit_vectors, count, top_k):
    vectors = unit_vectors(count)
    ids = np.random.default_rng(3).permutation(count)
    queries = unit_vectors(3, seed=9)
    near = Rows([(ids, vectors)]).nearest_each(queries, top_k)
    for query, hits in zip(queries, near, strict=True):
        cosines = vectors.astype(np.float64) @ query.astype(np.float64)
        assert [hit.image_id for hit in hits] == ids[np.argsort(-cosines)[:top_k]].tolist()


@pytest.mark.parametrize(("conditions", "passing"), CONDITIONS)
def test_a_search_finds_only_images_that_meet_its_conditions(conditions, passing, unit_vectors):
    with ExactGallery(Stored(range(1, 21), unit_vectors(20))) as gallery:
        near = gallery.search("index", unit_vectors(1, seed=1)[0], top_k=20, **conditions)
    assert {one.image_id for one in near} == passing


def test_the_exact_gallery_describes_itself():
    with ExactGallery(Stored()) as gallery:
        assert gallery.kind("index") is IndexType.FLAT
        assert (gallery.is_embedded, gallery.is_milvus_lite, gallery.answers) == (True, False, True)
        assert gallery.take_suspects() == set()
