"""Searches, writes and indexes of Milvus Lite and of a Milvus server."""

import threading

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient

from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.gallery.finding import CONDITIONS, DIMENSION, found_ids
from tests.support.waiting import run_threads

# Searching


def test_a_new_index_finds_nothing(gallery, unit_vectors):
    gallery.open("new", DIMENSION)
    assert gallery.search("new", unit_vectors(1)[0], top_k=5) == []
    assert gallery.ids("new") == set()


@pytest.mark.parametrize("flushed", [False, True])
def test_a_search_finds_what_exact_arithmetic_finds(flushed, gallery, index, unit_vectors):
    vectors, queries = unit_vectors(300), unit_vectors(5, seed=1)
    gallery.upsert(index, range(1000, 1300), vectors)
    if flushed:
        gallery.flush(index)
    for query in queries:
        cosines = vectors.astype(np.float64) @ query.astype(np.float64)
        best = np.argsort(-cosines)[:20]
        near = gallery.search(index, query, top_k=20)
        assert [one.image_id for one in near] == [1000 + int(at) for at in best]
        assert np.allclose([one.score for one in near], cosines[best], atol=1e-6)


def test_a_descriptor_is_its_own_nearest_with_a_cosine_of_one(gallery, index, unit_vectors):
    vectors = unit_vectors(20)
    gallery.upsert(index, range(1, 21), vectors)
    (nearest,) = gallery.search(index, vectors[7], top_k=1)
    assert nearest.image_id == 8
    assert nearest.score == pytest.approx(1.0, abs=1e-6)


def test_opposite_descriptors_have_a_cosine_of_minus_one(gallery, index, unit_vectors):
    (vector,) = unit_vectors(1)
    gallery.upsert(index, [1], [-vector])
    assert gallery.search(index, vector, top_k=1)[0].score == pytest.approx(-1.0, abs=1e-6)


@pytest.mark.parametrize(("conditions", "passing"), CONDITIONS)
def test_a_search_finds_only_images_that_meet_its_conditions(
    conditions, passing, gallery, index, unit_vectors
):
    gallery.upsert(index, range(1, 21), unit_vectors(20))
    near = gallery.search(index, unit_vectors(1, seed=1)[0], top_k=20, **conditions)
    assert {one.image_id for one in near} == passing


def test_top_k_may_exceed_the_number_of_rows(gallery, index, unit_vectors):
    gallery.upsert(index, [1, 2, 3], unit_vectors(3))
    assert len(gallery.search(index, unit_vectors(1)[0], top_k=1000)) == 3
    assert len(gallery.search(index, unit_vectors(1)[0], top_k=10**6)) == 3


def test_ids_are_as_wide_as_the_catalogues(gallery, index, unit_vectors):
    ids = [1, 2**31, 2**53 + 1, 2**62]
    gallery.upsert(index, ids, unit_vectors(4))
    assert gallery.ids(index) == set(ids)
    assert found_ids(gallery, index, unit_vectors(4)[2], 1) == [2**53 + 1]


def test_concurrent_searches_get_their_own_hits(gallery, index, unit_vectors):
    vectors = unit_vectors(300)
    gallery.upsert(index, range(300), vectors)
    together = {}

    def search_on(first):
        for number in range(first, 80, 8):
            (together[number],) = gallery.search(index, vectors[number], top_k=1)

    threads = [threading.Thread(target=search_on, args=(first,)) for first in range(8)]
    run_threads(*threads)
    assert {number: near.image_id for number, near in together.items()} == {
        number: number for number in range(80)
    }


# Writing


def test_an_upsert_replaces_what_has_the_same_id(gallery, index, unit_vectors):
    old, new = unit_vectors(2)
    gallery.upsert(index, [5], [old])
    gallery.flush(index)
    gallery.upsert(index, [5], [new])
    (near,) = gallery.search(index, new, top_k=10)
    assert near.score == pytest.approx(1.0, abs=1e-6)
    gallery.flush(index)
    assert len(gallery.search(index, new, top_k=10)) == 1
    assert gallery.ids(index) == {5}


@pytest.mark.parametrize("flushed", [False, True])
def test_deleted_rows_are_not_found(flushed, gallery, index, unit_vectors):
    vectors = unit_vectors(10)
    gallery.upsert(index, range(1, 11), vectors)
    if flushed:
        gallery.flush(index)
    gallery.delete(index, [3, 4, 999])
    assert gallery.ids(index) == {1, 2, 5, 6, 7, 8, 9, 10}
    assert 3 not in found_ids(gallery, index, vectors[2])


def test_deleted_rows_can_be_written_again(gallery, index, unit_vectors):
    gallery.upsert(index, [1], unit_vectors(1))
    gallery.delete(index, [1])
    gallery.upsert(index, [1], unit_vectors(1))
    assert gallery.ids(index) == {1}


def test_more_rows_than_fit_into_a_call_are_written_listed_and_deleted(
    gallery, index, unit_vectors
):
    ids = list(range(1, 2503))
    gallery.upsert(index, ids, unit_vectors(2502))
    gallery.flush(index)
    assert gallery.ids(index) == set(ids)
    gallery.delete(index, ids[:2400])
    assert gallery.ids(index) == set(ids[2400:])


def test_rows_are_counted_once_and_found_by_their_ids(gallery, index, unit_vectors):
    gallery.upsert(index, range(1, 21), unit_vectors(20))
    gallery.flush(index)
    gallery.upsert(index, range(11, 31), unit_vectors(20, seed=1))
    gallery.delete(index, [1, 2, 12, 99])
    assert gallery.count(index) == 27
    assert gallery.present(index, {1, 3, 12, 30, 31}) == {3, 30}
    assert gallery.present(index, set()) == set()


def test_writing_no_rows_is_no_error(gallery, index):
    gallery.upsert(index, [], [])
    gallery.delete(index, [])
    gallery.flush(index)
    assert gallery.ids(index) == set()


def test_ids_and_descriptors_go_together(gallery, index, unit_vectors):
    with pytest.raises(ValueError, match="shorter"):
        gallery.upsert(index, [1, 2], unit_vectors(1))


def test_two_threads_that_write_lose_nothing(gallery, index, unit_vectors):
    vectors = unit_vectors(160)

    def write(first):
        for at in range(first, 160, 20):
            gallery.upsert(index, range(at, at + 10), vectors[at : at + 10])
            gallery.search(index, vectors[at], top_k=3)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10)]
    run_threads(*threads)
    assert gallery.ids(index) == set(range(160))


def test_acknowledged_writes_of_two_threads_survive_a_kill(script, tmp_path, unit_vectors):
    writer = script(
        tmp_path / "milvus.db",
        """
        gallery.open("cats", 16)
        def write(first):
            for at in range(first, 5000, 20):
                gallery.upsert("cats", range(at, at + 10), vectors[at : at + 10])
                sys.stdout.write(f"{at}\\n")
                sys.stdout.flush()
        threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        """,
    )
    acknowledged = [int(writer.stdout.readline()) for _ in range(150)]
    writer.kill()
    acknowledged += [int(line) for line in writer.stdout if line[-1] == "\n"]
    with MilvusGallery(str(tmp_path / "milvus.db")) as again:
        again.open("cats", DIMENSION)
        present = again.ids("cats")
    assert {row for at in acknowledged for row in range(at, at + 10)} <= present


# Indexes


def test_opening_an_index_twice_keeps_its_rows(gallery, index, unit_vectors):
    gallery.upsert(index, [1, 2], unit_vectors(2))
    gallery.open(index, DIMENSION)
    gallery.open(index, DIMENSION)
    assert gallery.ids(index) == {1, 2}
    assert len(gallery.search(index, unit_vectors(1)[0], top_k=5)) == 2


def test_indexes_do_not_mix(gallery, index, unit_vectors):
    gallery.open("another", DIMENSION)
    gallery.upsert(index, [1], unit_vectors(1))
    gallery.upsert("another", [2], unit_vectors(1))
    assert (gallery.ids(index), gallery.ids("another")) == ({1}, {2})
    gallery.drop("another")
    assert gallery.ids(index) == {1}


def test_dropping_removes_the_files_and_can_be_repeated(lite, milvus_folder, unit_vectors):
    gallery = lite
    gallery.open("short_lived", DIMENSION)
    gallery.upsert("short_lived", [1], unit_vectors(1))
    gallery.flush("short_lived")
    assert "short_lived" in gallery.names()
    assert list(milvus_folder.rglob("*short_lived*"))
    gallery.drop("short_lived")
    gallery.drop("short_lived")
    assert "short_lived" not in gallery.names()
    assert not list(milvus_folder.rglob("*short_lived*"))


def test_an_index_that_a_crash_left_half_created_is_completed(gallery, unit_vectors):
    client = MilvusClient(gallery.uri)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("descriptor", DataType.FLOAT_VECTOR, dim=DIMENSION)
    client.create_collection("half_made", schema=schema)  # and no index
    gallery.open("half_made", DIMENSION)
    gallery.upsert("half_made", [1], unit_vectors(1))
    assert found_ids(gallery, "half_made", unit_vectors(1)[0]) == [1]
