"""Searches of a cached index while images are added and deleted."""

import threading

import numpy as np
import pytest

from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.gallery.cached_lite import CachedLite
from bento_service.indexing.replay import Replay, ReplayPace
from bento_service.search.query import Query
from bento_service.search.searcher import Searcher
from tests.support.indexes import commit, described, random_units
from tests.support.waiting import join, wait_until

DIMENSION = 16
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
ROW = SPACE.descriptor_bytes
STEPS = 60


class Collections:
    """Two collections, and what their callers know: the images that were acknowledged."""

    def __init__(self, catalogue, seed):
        self._catalogue = catalogue
        self._random = np.random.default_rng(seed)
        self._names = iter(range(10**6))
        self.collections = [catalogue.collections.create(name, SPACE) for name in ("cats", "dogs")]
        self.living = [set(), set()]
        self.added = [set(), set()]

    def change(self, which):
        """Add or delete some images; return once that is acknowledged."""
        living, collection = self.living[which], self.collections[which]
        if living and self._random.random() < 0.5:
            most = min(len(living), int(self._random.integers(1, 15)))
            gone = self._random.choice(sorted(living), most, replace=False).tolist()
            self._catalogue.images.delete(collection.id, gone)
            living.difference_update(gone)
        else:
            vectors = random_units(
                int(self._random.integers(1, 20)), DIMENSION, seed=next(self._names)
            )
            pictures = {}
            for vector in vectors:
                name = f"{collection.name}{next(self._names)}"
                pictures[name] = described(name, {SPACE.fingerprint: vector})
            ids = commit(self._catalogue, collection, pictures)
            living.update(ids)
            self.added[which].update(ids)


@pytest.mark.parametrize("most_rows", [60, 10_000], ids=["one fits at most", "both fit"])
def test_a_search_sees_every_acknowledged_image_and_no_deleted_one(catalogue, tmp_path, most_rows):
    stored = catalogue.descriptors.of_index
    states = Collections(catalogue, seed=most_rows)
    with (
        CachedLite(str(tmp_path / "milvus.db"), stored, max_bytes=most_rows * ROW) as gallery,
        Replay(
            catalogue,
            gallery,
            on_purged=lambda _: None,
            pace=ReplayPace(gather_seconds=0.0, changes_per_step=7),
        ) as replay,
    ):
        wait_until(lambda: replay.was_ready)
        searcher = Searcher(catalogue, gallery, computed=Computed((SPACE,)))
        (query,) = random_units(1, DIMENSION, seed=1)
        ended, cached = threading.Event(), set()

        def wake():
            while not ended.is_set():
                replay.wake()
                cached.add(gallery.cached_bytes > 0)
                ended.wait(0.005)

        waking = threading.Thread(target=wake)
        waking.start()
        try:
            for step in range(STEPS):
                which = step % 2
                states.change(which)
                found = searcher.by_descriptor(
                    Query(states.collections[which].name, top_k=1000), query
                )
                assert {hit.image.id for hit in found.hits} == states.living[which]
        finally:
            ended.set()
            join(waking)
        assert True in cached
