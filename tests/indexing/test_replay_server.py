"""Replay over an index in a Milvus server, while nothing is searched or trained."""

import pytest

from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.test_replay import SPACE, add, assert_equal, caught_up, following, until

IMPATIENT = {"probe_seconds": 0.3, "retry_seconds": (0.3,)}


@pytest.fixture
def gallery(milvus_server):
    with MilvusGallery(milvus_server.uri) as opened:
        yield opened


@pytest.fixture
def catalogue(tmp_path):
    with Catalogue.open(f"sqlite:///{tmp_path}/catalogue.db") as opened:
        yield opened


@pytest.fixture
def cats(catalogue):
    collection = catalogue.collections.create("cats", SPACE)
    add(catalogue, collection, "a", "b")
    return collection


@pytest.mark.parametrize("how", ["release_collection", "drop_collection"])
def test_an_index_that_somebody_released_or_dropped_comes_back(how, catalogue, cats, gallery):
    with following(catalogue, gallery, **IMPATIENT) as replay:
        until(lambda: caught_up(catalogue, replay))
        getattr(gallery._client, how)(cats.index.name, timeout=30)
        until(lambda: not replay.is_open(cats.index))  # it is noticed
        assert replay.was_ready  # and the service stays ready
        until(lambda: caught_up(catalogue, replay))
        assert_equal(catalogue, gallery)


def test_a_failed_search_alone_makes_replay_look(catalogue, cats, gallery):
    with following(catalogue, gallery, **IMPATIENT) as replay:
        until(lambda: caught_up(catalogue, replay))
        gallery._suspects.add(cats.index.name)
        until(lambda: not gallery._suspects)
        until(lambda: replay.is_open(cats.index))
        assert_equal(catalogue, gallery)


def test_it_is_not_ready_before_it_has_searched(catalogue, cats, free_port):
    with (
        MilvusGallery(f"http://127.0.0.1:{free_port}") as nowhere,
        following(catalogue, nowhere, **IMPATIENT) as replay,
    ):
        until(lambda: not nowhere.answers)
        assert not replay.was_ready
        assert replay.alive
