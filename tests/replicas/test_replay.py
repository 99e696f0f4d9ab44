"""Replay in two replicas over one PostgreSQL and one Milvus server."""

from contextlib import ExitStack

import pytest

from bento_service.catalogue.records import DescriptorSpace
from bento_service.gallery.index_types import IndexRule
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.index_swap import IndexSwap
from bento_service.indexing.replay import Replay, ReplayPace
from tests.support.indexes import commit, described, random_units
from tests.support.waiting import wait_until

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 8, "fp32")
QUICK = ReplayPace(gather_seconds=0.01, probe_seconds=0.2, retry_seconds=(0.1,))


class Side:
    """One replica's replay, with its own connection to Milvus."""

    def __init__(self, catalogue, uri):
        self.owns = False
        self.purged = set()
        self.gallery = MilvusGallery(uri)
        rule = IndexRule("auto", embedded=False)
        self.replay = Replay(
            catalogue,
            self.gallery,
            on_purged=self.purged.update,
            swap=IndexSwap(catalogue, self.gallery, rule),
            is_owner=lambda: self.owns,
            pace=QUICK,
        )


@pytest.fixture
def sides(shared, milvus_server):
    with ExitStack() as stack:
        made = [Side(shared, milvus_server.uri) for _ in range(2)]
        for side in made:
            stack.enter_context(side.gallery)
            stack.enter_context(side.replay)
        yield made


@pytest.fixture
def cats(shared):
    return shared.collections.create("cats", SPACE)


@pytest.fixture
def add(shared, cats):
    def images(*names):
        vectors = random_units(len(names), SPACE.dimension, seed=len(names[0]))
        pictures = {
            name: described(name, {SPACE.fingerprint: vector})
            for name, vector in zip(names, vectors, strict=True)
        }
        return commit(shared, cats, pictures)

    return images


def is_applied(catalogue):
    index = catalogue.collections.named("cats").index
    return index.applied >= index.revision


def test_only_the_owner_makes_an_index_and_others_wait_for_it(shared, cats, add, sides):
    first, second = sides
    ids = set(add("a", "b"))
    wait_until(lambda: first.gallery.answers and second.gallery.answers)
    assert cats.index.name not in first.gallery.names()
    assert not first.replay.was_ready
    first.owns = True
    wait_until(lambda: first.replay.was_ready and second.replay.was_ready)
    wait_until(lambda: is_applied(shared))
    assert second.gallery.ids(cats.index.name) == ids
    assert second.replay.is_open(cats.index)


def test_the_owner_applies_what_other_replicas_commit(shared, cats, add, sides):
    first, second = sides
    first.owns = True
    ids = add("a", "b")  # nobody wakes replay
    wait_until(lambda: is_applied(shared))
    own = shared.images.descriptor(ids[0], cats.index.id)
    nearest = second.gallery.search(cats.index.name, own, top_k=1)
    assert [hit.image_id for hit in nearest] == ids[:1]
    shared.images.delete(cats.id, ids[:1])
    wait_until(lambda: shared.images.by_ids(ids).keys() == {ids[1]} and is_applied(shared))
    wait_until(lambda: second.gallery.ids(cats.index.name) == {ids[1]})


def test_another_owner_goes_on_where_the_former_one_ended(shared, cats, add, sides):
    first, second = sides
    names, ids = iter("abcdefgh"), set()
    for owner, other in (sides, sides[::-1], sides):
        other.owns = False
        owner.owns = True
        ids |= set(add(next(names) * 3, next(names) * 4))
        wait_until(lambda: is_applied(shared))
        assert first.gallery.ids(cats.index.name) == ids
        wait_until(lambda: first.replay.is_open(cats.index) and second.replay.is_open(cats.index))


def test_two_owners_for_a_moment_leave_an_index_as_the_catalogue_has_it(shared, cats, add, sides):
    for side in sides:
        side.owns = True
    ids = set(add("a", "b"))
    for round_ in range(3):
        ids |= set(add("c" * (3 + round_), "d" * (4 + round_)))
        gone = {min(ids)}
        shared.images.delete(cats.id, gone)
        ids -= gone
    wait_until(lambda: is_applied(shared))
    wait_until(lambda: sides[0].gallery.ids(cats.index.name) == ids)
    assert all(side.replay.alive for side in sides)


def test_the_applied_revision_only_rises(shared, cats, add):
    add("a")
    assert shared.indexes.set_applied(cats.index.id, 5)
    assert not shared.indexes.set_applied(cats.index.id, 5)
    assert not shared.indexes.set_applied(cats.index.id, 3)
    assert shared.indexes.all()[0].applied == 5
