"""A collection whose groups of duplicates real indexes find."""

import itertools
from dataclasses import replace
from functools import partial

import pytest

from bento_service.catalogue.records import Computed
from bento_service.comparison.duplicate_groups import Duplicates
from bento_service.gallery.exact import ExactGallery
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay
from tests.comparison.grouping import LINES, SPACE
from tests.support.indexes import commit, described
from tests.support.waiting import wait_until


@pytest.fixture(params=["lite", "server", "exact"])
def gallery(request, catalogue, tmp_path):
    if request.param == "exact":
        with ExactGallery(catalogue.descriptors.of_index) as opened:
            yield opened
        return
    uri = str(tmp_path / "milvus.db")
    if request.param == "server":
        uri = request.getfixturevalue("milvus_server").uri
    with MilvusGallery(uri) as opened:
        yield opened


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)


@pytest.fixture
def finding(catalogue, gallery):
    """Return a constructor of `Duplicates` that takes limits."""
    return partial(Duplicates, catalogue, gallery, computed=Computed((SPACE,)), lines=LINES)


@pytest.fixture
def duplicates(finding):
    return finding()


@pytest.fixture
def add(catalogue, cats):
    """Commit images with these descriptors and hashes; return their rising ids."""
    numbers = itertools.count()

    def images(vectors, hashes=None, miniatures=None):
        pictures = {}
        nothing = [b""] * len(vectors)
        for vector, data, small in zip(
            vectors, hashes or nothing, miniatures or nothing, strict=True
        ):
            name = f"{next(numbers)}.png"
            picture = described(name, {SPACE.fingerprint: vector}, data)
            pictures[name] = replace(picture, miniature=small or None)
        return commit(catalogue, cats, pictures)

    return images


@pytest.fixture
def replayed(catalogue, gallery):
    """Wait until the index holds everything."""

    def wait():
        with Replay(catalogue, gallery, on_purged=lambda _: None) as replay:
            wait_until(
                lambda: (
                    replay.was_ready
                    and all(one.applied >= one.revision for one in catalogue.indexes.all())
                )
            )

    return wait
