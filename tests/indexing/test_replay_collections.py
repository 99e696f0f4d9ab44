"""Replay while collections are created and deleted."""

import threading
import time
from functools import partial

from bento_service.catalogue import Catalogue
from bento_service.errors import IndexUnavailable
from tests.indexing.replaying import (
    DIMENSION,
    SPACE,
    add,
    assert_equal,
    catch_up,
    caught_up,
    following,
)
from tests.support.indexes import on_both
from tests.support.waiting import WAIT_SECONDS, wait_until


@on_both
def test_the_index_of_a_deleted_collection_is_dropped(catalogue, cats, gallery):
    dogs = catalogue.collections.create("dogs", SPACE)
    add(catalogue, dogs, "a")
    with following(catalogue, gallery) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        catalogue.collections.delete(dogs.id)
        replay.wake()
        wait_until(lambda: not replay.is_open(dogs.index))
        assert dogs.index.name not in gallery.names()
    assert cats.index.name in gallery.names()


@on_both
def test_an_index_that_cannot_be_opened_is_dropped_with_its_collection(
    catalogue, cats, gallery, monkeypatch
):
    with following(catalogue, gallery) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        tried = threading.Event()

        def called(method, name):
            if name == cats.index.name:
                return method(name)
            tried.set()
            raise IndexUnavailable("it went away")

        for method in ("ids", "count"):
            monkeypatch.setattr(gallery, method, partial(called, getattr(gallery, method)))
        dogs = catalogue.collections.create("dogs", SPACE)
        replay.wake()
        assert tried.wait(WAIT_SECONDS)
        wait_until(lambda: dogs.index.name in gallery.names())  # it is built again and again
        catalogue.collections.delete(dogs.id)
        replay.wake()
        wait_until(lambda: dogs.index.name not in gallery.names())


def test_the_index_of_a_collection_deleted_while_replay_was_off_is_dropped(
    catalogue, cats, gallery
):
    dogs = catalogue.collections.create("dogs", SPACE)
    catch_up(catalogue, gallery)
    catalogue.collections.delete(dogs.id)
    with following(catalogue, gallery):
        wait_until(lambda: dogs.index.name not in gallery.names())
    assert cats.index.name in gallery.names()


@on_both
def test_other_programs_indexes_are_left_alone(catalogue, cats, gallery, tmp_path):
    gallery.open("somebody_elses", DIMENSION)
    gallery.open("lookalike_000000000000_000000000000", DIMENSION)
    with Catalogue.open(f"sqlite:///{tmp_path}/other.db") as other:
        other_cats = other.collections.create("cats", SPACE)
        catch_up(other, gallery)
        catch_up(catalogue, gallery)
        catch_up(other, gallery)
    names = set(gallery.names())
    assert names >= {
        "somebody_elses",
        "lookalike_000000000000_000000000000",
        other_cats.index.name,
        cats.index.name,
    }


def test_a_recreated_collection_starts_with_an_empty_index(catalogue, cats, gallery):
    add(catalogue, cats, "a")
    with following(catalogue, gallery) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        catalogue.collections.delete(cats.id)
        again = catalogue.collections.create("cats", SPACE)
        replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
        assert gallery.ids(again.index.name) == set()


@on_both
def test_deleting_a_collection_during_its_replay_stops_nothing(catalogue, cats, gallery):
    with following(catalogue, gallery) as replay:
        for number in range(15):
            deleted = catalogue.collections.create(f"deleted-{number}", SPACE)
            add(catalogue, deleted, *"abcd")
            replay.wake()
            time.sleep(0.01 * (number % 5))
            catalogue.collections.delete(deleted.id)
            replay.wake()
        add(catalogue, cats, "a")
        replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
        assert replay.alive
    assert_equal(catalogue, gallery)
