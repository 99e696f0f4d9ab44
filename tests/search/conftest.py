"""Fixtures of search."""

import itertools

import pytest

from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay, ReplayPace
from tests.search.searching import SPACE, searching
from tests.support.indexes import commit, described
from tests.support.processes import refusing_port
from tests.support.waiting import wait_until


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)


@pytest.fixture
def searcher(catalogue, gallery):
    return searching(catalogue, gallery)


@pytest.fixture
def without_milvus(catalogue):
    """Yield a searcher whose Milvus never answers."""
    with refusing_port() as port, MilvusGallery(f"http://127.0.0.1:{port}") as nowhere:
        yield searching(catalogue, nowhere)


@pytest.fixture
def add(catalogue):
    """Commit images with these descriptors; return their ids."""
    numbers = itertools.count()

    def images(collection, descriptors):
        names = [f"{next(numbers)}.png" for _ in descriptors]
        pictures = {
            name: described(name, {SPACE.fingerprint: vector})
            for name, vector in zip(names, descriptors, strict=True)
        }
        return commit(catalogue, collection, pictures)

    return images


@pytest.fixture
def apply(catalogue, gallery):
    """Let replay run until the index is equal to the catalogue."""

    def catch_up():
        with Replay(
            catalogue, gallery, on_purged=lambda digests: None, pace=ReplayPace(gather_seconds=0.01)
        ) as replay:
            wait_until(
                lambda: all(
                    replay.is_open(one.index) and one.index.applied >= one.index.revision
                    for one in catalogue.collections.all()
                )
            )

    return catch_up


@pytest.fixture(params=[10_000, 0], ids=["compared", "by the index"])
def compared(request):
    """Return the limit up to which passing images are compared without the index."""
    return request.param
