"""Replay with a real catalogue and a real Milvus."""

import time
from contextlib import suppress
from dataclasses import replace

from bento_service.catalogue import Catalogue
from bento_service.catalogue.states import SourceKind
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.replaying import (
    SPACE,
    add,
    assert_equal,
    catch_up,
    caught_up,
    following,
    living,
)
from tests.support.indexes import digest, on_both
from tests.support.processes import refusing_port
from tests.support.waiting import wait_until


def lag(catalogue, name):
    collection = catalogue.collections.named(name)
    return len(catalogue.changes.changed_ids(collection.index.id, after=collection.index.applied))


# Following


def test_committed_images_reach_the_index(catalogue, cats, gallery):
    add(catalogue, cats, "a", "b")
    with following(catalogue, gallery) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        assert_equal(catalogue, gallery)
        add(catalogue, cats, "c")
        replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
        assert_equal(catalogue, gallery)


@on_both
def test_without_replay_the_index_falls_behind(catalogue, cats, gallery):
    """The other tests of this file would fail without replay."""
    catch_up(catalogue, gallery)
    ids = add(catalogue, cats, "a", "b")
    assert lag(catalogue, "cats") == 2
    assert gallery.ids(cats.index.name) == set()
    catch_up(catalogue, gallery)
    catalogue.images.delete(cats.id, ids[:1])
    assert gallery.ids(cats.index.name) == set(ids)
    assert lag(catalogue, "cats") == 1


@on_both
def test_a_deletion_reaches_the_index_and_its_tombstone_is_removed(catalogue, cats, gallery):
    a, b = add(catalogue, cats, "a", "b")
    catch_up(catalogue, gallery)
    catalogue.images.delete(cats.id, [a])
    catch_up(catalogue, gallery)
    assert gallery.ids(cats.index.name) == {b}
    changes = catalogue.changes.page(cats.index.id, after=(0, 0), limit=10)
    assert [change.image_id for change in changes] == [b]


def test_the_uploads_of_purged_images_are_reported(catalogue, cats, gallery):
    add(catalogue, cats, "from a folder")
    add(catalogue, cats, "sent", "also sent", kind=SourceKind.UPLOAD)
    catalogue.images.delete_all(cats.id)
    reported = []
    catch_up(catalogue, gallery, reported.append)
    assert set().union(*reported) == {digest("sent"), digest("also sent")}


def test_a_deleted_picture_that_is_added_again_is_in_the_index_once(catalogue, cats, gallery):
    (first,) = add(catalogue, cats, "a")
    catch_up(catalogue, gallery)
    catalogue.images.delete_all(cats.id)
    (second,) = add(catalogue, cats, "a")
    catch_up(catalogue, gallery)
    assert first != second
    assert gallery.ids(cats.index.name) == {second}


def test_a_large_revision_is_applied_in_steps(catalogue, cats, gallery):
    add(catalogue, cats, *(str(n) for n in range(30)))
    catch_up(catalogue, gallery, changes_per_step=7)
    assert_equal(catalogue, gallery)
    catalogue.images.delete_all(cats.id)
    late = add(catalogue, cats, "late")
    catch_up(catalogue, gallery, changes_per_step=7)
    assert gallery.ids(cats.index.name) == set(late)


@on_both
def test_changes_during_replay_are_applied(catalogue, cats, gallery):
    with following(catalogue, gallery) as replay:
        for number in range(30):
            ids = add(catalogue, cats, f"{number}", f"{number} too")
            catalogue.images.delete(cats.id, ids[:1])
            replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
    assert len(living(catalogue, cats)) == 30
    assert_equal(catalogue, gallery)


def test_each_collection_is_followed_separately(catalogue, cats, gallery):
    with following(catalogue, gallery) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        dogs = catalogue.collections.create("dogs", SPACE)
        assert not replay.is_open(dogs.index)
        add(catalogue, dogs, "a")
        add(catalogue, cats, "a", "b")
        replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
    assert len(gallery.ids(dogs.index.name)) == 1
    assert_equal(catalogue, gallery)


def test_a_collection_that_is_being_filled_holds_up_no_other(catalogue, cats, gallery):
    """`cats` lacks so many changes that the service is not ready with it alone."""
    for part in range(14):
        add(catalogue, cats, *(f"{part} {number}" for number in range(100)))
    dogs = catalogue.collections.create("dogs", SPACE)
    dog_ids = add(catalogue, dogs, "a")
    written, ready = [], []

    class Watched:
        def __getattr__(self, name):
            return getattr(gallery, name)

        def upsert(self, name, image_ids, descriptors):
            written.append(name)
            ready.append(replay.was_ready)
            gallery.upsert(name, image_ids, descriptors)

    with following(catalogue, Watched(), changes_per_step=5) as replay:
        wait_until(lambda: caught_up(catalogue, replay))

    assert gallery.ids(dogs.index.name) == set(dog_ids)
    assert_equal(catalogue, gallery)
    turn = written.index(dogs.index.name)
    assert 0 < turn < len(written) // 2
    assert ready == [False] * (turn + 1) + [True] * (len(written) - turn - 1)


def test_a_large_revision_after_another_does_not_have_the_index_compared_again(
    catalogue, cats, gallery
):
    add(catalogue, cats, "a")
    add(catalogue, cats, *(f"{number}" for number in range(100)))
    opened = []

    class Watched:
        def __getattr__(self, name):
            return getattr(gallery, name)

        def open(self, name, dimension):
            opened.append(name)
            gallery.open(name, dimension)

    catch_up(catalogue, Watched(), changes_per_step=5)

    assert opened == [cats.index.name]
    assert_equal(catalogue, gallery)


def test_a_large_collection_alone_is_ready_when_it_is_nearly_up_to_date(catalogue, cats, gallery):
    for part in range(14):
        add(catalogue, cats, *(f"{part} {number}" for number in range(100)))
    applied, set_applied = [], catalogue.indexes.set_applied

    class Watched:
        def __getattr__(self, name):
            return getattr(catalogue.indexes, name)

        def set_applied(self, index_id, revision):
            applied.append((revision, replay.was_ready))
            return set_applied(index_id, revision)

    following_slowly = following(replace(catalogue, indexes=Watched()), gallery, changes_per_step=5)
    with following_slowly as replay:
        wait_until(lambda: caught_up(catalogue, replay))

    assert [revision for revision, _ in applied] == sorted(revision for revision, _ in applied)
    assert {revision for revision, ready in applied if ready} == set(range(5, 15))


def test_written_rows_are_flushed_after_a_burst(catalogue, cats, gallery, milvus_folder):
    def segments():
        return [path for path in milvus_folder.rglob("*.parquet") if cats.index.name in str(path)]

    with following(catalogue, gallery) as replay:
        add(catalogue, cats, "a")
        replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
        wait_until(segments)


def test_a_stop_ends_every_pause(catalogue, cats, gallery):
    catch_up(catalogue, gallery)
    names = ("probe_seconds", "gather_seconds", "flush_seconds")
    pauses = dict.fromkeys(names, 3600.0)  # a stop that waits for one hangs
    for number in range(30):
        with following(catalogue, gallery, **pauses) as replay:
            time.sleep(0.002 * (number % 8))
        assert not replay.alive


# Trouble


def test_without_milvus_the_catalogue_works_and_the_lag_grows(catalogue, cats):
    with (
        refusing_port() as port,
        MilvusGallery(f"http://127.0.0.1:{port}") as nowhere,
        following(catalogue, nowhere) as replay,
    ):
        ids = add(catalogue, cats, "a", "b")
        replay.wake()
        catalogue.images.delete(cats.id, ids[:1])
        time.sleep(0.6)
        assert catalogue.images.count(cats.id) == 1
        assert lag(catalogue, "cats") == 2
        assert not replay.is_open(cats.index)
        assert replay.alive


def test_when_milvus_comes_back_replay_catches_up_by_itself(catalogue, cats, tmp_path):
    blocked = tmp_path / "not_yet"
    blocked.write_text("a file where Milvus's folder should be")
    with (
        MilvusGallery(str(blocked / "milvus.db")) as late,
        following(catalogue, late, retry_seconds=(0.2,)) as replay,
    ):
        add(catalogue, cats, "a")
        time.sleep(0.3)
        assert not replay.is_open(cats.index)
        blocked.unlink()
        wait_until(lambda: caught_up(catalogue, replay))
        assert_equal(catalogue, late)


def test_one_index_that_cannot_be_opened_does_not_stop_the_others(
    catalogue, cats, gallery, milvus_folder
):
    broken = catalogue.collections.create("broken", SPACE)  # comes before cats
    obstacle = milvus_folder / "collections" / broken.index.name
    obstacle.parent.mkdir(parents=True, exist_ok=True)
    obstacle.write_text("a file where Milvus Lite makes a folder")
    try:
        with following(catalogue, gallery, retry_seconds=(0.1,)) as replay:
            add(catalogue, cats, "a")
            replay.wake()
            wait_until(lambda: replay.is_open(cats.index) and lag(catalogue, "cats") == 0)
            assert not replay.is_open(broken.index)
    finally:
        obstacle.unlink()


def test_a_full_disk_is_waited_out(gallery, small_disk):
    with Catalogue.open(f"sqlite:///{small_disk}/catalogue.db") as catalogue:
        cats = catalogue.collections.create("cats", SPACE)
        catch_up(catalogue, gallery)
        ids = add(catalogue, cats, *(str(n) for n in range(200)))
        with suppress(OSError), (small_disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(4096))
                filler.flush()
        with following(catalogue, gallery, retry_seconds=(0.1,)) as replay:
            wait_until(lambda: gallery.ids(cats.index.name) == set(ids) or not replay.alive)
            time.sleep(0.5)
            assert replay.alive
            (small_disk / "filler").unlink()
            wait_until(lambda: caught_up(catalogue, replay))


def test_uploads_that_cannot_be_removed_do_not_end_replay(catalogue, cats, gallery):
    asked = []

    def refuse(digests):
        asked.append(digests)
        raise PermissionError(13, "not yours")

    add(catalogue, cats, "sent", kind=SourceKind.UPLOAD)
    catalogue.images.delete_all(cats.id)
    with following(catalogue, gallery, refuse, retry_seconds=(0.1,)) as replay:
        wait_until(lambda: asked)
        add(catalogue, cats, "a")
        replay.wake()
        wait_until(lambda: caught_up(catalogue, replay))
        assert replay.alive
