"""Replay of a real catalogue into a real Milvus."""

from contextlib import contextmanager

import pytest

from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.indexing.replay import Replay, ReplayPace
from tests.support.indexes import commit, described, digest, random_units
from tests.support.waiting import wait_until

DIMENSION = 8
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")


def add(catalogue, collection, *names, kind=SourceKind.FILE):
    """Commit pictures with these names and descriptors made of them; return their ids."""
    pictures = {}
    for name in names:
        (vector,) = random_units(1, DIMENSION, seed=int(digest(name)[:8], 16))
        pictures[name] = described(name, {SPACE.fingerprint: vector})
    return commit(catalogue, collection, pictures, kind)


def living(catalogue, collection):
    return catalogue.changes.living_ids(collection.index.id, up_to=2**62)


@contextmanager
def following(catalogue, gallery, on_purged=lambda digests: None, **options):
    pace = ReplayPace(**{"gather_seconds": 0.01, **options})
    with Replay(catalogue, gallery, on_purged=on_purged, pace=pace) as replay:
        yield replay


def caught_up(catalogue, replay):
    """Return whether the indexes of all collections are open and up to date, without tombstones."""
    for collection in catalogue.collections.all():
        changes = catalogue.changes.page(collection.index.id, after=(0, 0), limit=10_000)
        if (
            not replay.is_open(collection.index)
            or collection.index.applied < collection.index.revision
            or any(change.deleted for change in changes)
        ):
            return False
    return True


def catch_up(catalogue, gallery, on_purged=lambda digests: None, **options):
    """Run replay until it has applied everything."""
    with following(catalogue, gallery, on_purged, **options) as replay:
        wait_until(lambda: caught_up(catalogue, replay))


def assert_equal(catalogue, gallery):
    """Assert that every index has exactly the images, with their descriptors."""
    for collection in catalogue.collections.all():
        expected = living(catalogue, collection)
        assert gallery.ids(collection.index.name) == expected
        for image_id in sorted(expected)[:5]:
            own = catalogue.images.descriptor(image_id, collection.index.id)
            (nearest,) = gallery.search(collection.index.name, own, top_k=1)
            assert nearest.image_id == image_id
            assert nearest.score == pytest.approx(1.0, abs=1e-6)
