"""Replay over an index in a Milvus server, while nothing is searched or trained."""

import pytest

from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.replaying import (
    SPACE,
    add,
    assert_equal,
    catch_up,
    caught_up,
    following,
)
from tests.support.indexes import random_units
from tests.support.waiting import wait_until

IMPATIENT = {"probe_seconds": 0.3, "retry_seconds": (0.3,)}


@pytest.fixture
def gallery(milvus_server):
    with MilvusGallery(milvus_server.uri) as opened:
        yield opened


@pytest.fixture
def cats(catalogue):
    collection = catalogue.collections.create("cats", SPACE)
    add(catalogue, collection, "a", "b")
    return collection


@pytest.mark.parametrize("how", ["release_collection", "drop_collection"])
def test_an_index_that_was_released_or_dropped_is_restored(how, catalogue, cats, gallery):
    with following(catalogue, gallery, **IMPATIENT) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        getattr(gallery._client, how)(cats.index.name, timeout=30)
        wait_until(lambda: not replay.is_open(cats.index))  # it is noticed
        assert replay.was_ready  # and the service stays ready
        wait_until(lambda: caught_up(catalogue, replay))
        assert_equal(catalogue, gallery)


def test_a_failed_search_makes_replay_check_the_index(catalogue, cats, gallery):
    with following(catalogue, gallery, **IMPATIENT) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        gallery._suspects.add(cats.index.name)
        wait_until(lambda: not gallery._suspects)
        wait_until(lambda: replay.is_open(cats.index))
        assert_equal(catalogue, gallery)


def test_a_start_reads_no_ids_if_the_number_and_a_sample_agree(
    catalogue, cats, gallery, monkeypatch
):
    catch_up(catalogue, gallery)

    def ids(name):
        raise AssertionError("it reads all ids")

    monkeypatch.setattr(gallery, "ids", ids)
    catch_up(catalogue, gallery)


def test_a_start_finds_a_missing_and_an_unknown_row_of_equal_number(catalogue, cats, gallery):
    catch_up(catalogue, gallery)
    expected = gallery.ids(cats.index.name)
    gallery.delete(cats.index.name, [min(expected)])
    gallery.upsert(cats.index.name, [10**6], random_units(1, SPACE.dimension))

    catch_up(catalogue, gallery)

    assert gallery.ids(cats.index.name) == expected
    assert_equal(catalogue, gallery)


def test_replay_is_not_ready_before_its_first_search(catalogue, cats, free_port):
    with (
        MilvusGallery(f"http://127.0.0.1:{free_port}") as nowhere,
        following(catalogue, nowhere, **IMPATIENT) as replay,
    ):
        wait_until(lambda: not nowhere.answers)
        assert not replay.was_ready
        assert replay.alive
