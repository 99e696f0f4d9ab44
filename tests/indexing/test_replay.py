"""Replay with a real catalogue and a real Milvus."""

import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.errors import IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay, ReplayPace
from tests.support.indexes import commit, described, digest, on_both, random_units
from tests.support.processes import child
from tests.support.waiting import WAIT_SECONDS, wait_until

PROJECT = Path(__file__).parents[2]
DIMENSION = 8
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)


def add(catalogue, collection, *names, kind=SourceKind.FILE):
    """Commit pictures with these names and descriptors made of them; return their ids."""
    pictures = {}
    for name in names:
        (vector,) = random_units(1, DIMENSION, seed=int(digest(name)[:8], 16))
        pictures[name] = described(name, {SPACE.fingerprint: vector})
    return commit(catalogue, collection, pictures, kind)


def living(catalogue, collection):
    return catalogue.changes.living_ids(collection.index.id, up_to=2**62)


def lag(catalogue, name):
    collection = catalogue.collections.named(name)
    return len(catalogue.changes.changed_ids(collection.index.id, after=collection.index.applied))


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


# Healing


class Crash:
    """A proxy that ends the calling thread at the n-th call, as a kill would."""

    def __init__(self, at):
        self.left = at

    def round(self, target):
        return _Crashing(target, self)

    def step(self):
        self.left -= 1
        if self.left < 0:
            raise SystemExit


class _Crashing:
    def __init__(self, target, crash):
        self._target = target
        self._crash = crash

    def __getattr__(self, name):
        method = getattr(self._target, name)

        def call(*arguments, **options):
            self._crash.step()
            result = method(*arguments, **options)
            self._crash.step()
            return result

        return call


def crash_at(point, catalogue, gallery):
    """Replay until the `point`-th moment between two calls; return whether it came that far."""
    crash = Crash(point)
    followed = ("collections", "indexes", "changes", "images", "reindexes")
    crashing = replace(
        catalogue, **{name: crash.round(getattr(catalogue, name)) for name in followed}
    )
    with following(crashing, crash.round(gallery), changes_per_step=3) as replay:
        wait_until(lambda: not replay.alive or caught_up(catalogue, replay))
    return crash.left < 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_crash_at_any_point_heals_at_the_next_start(catalogue, cats, gallery):
    add(catalogue, cats, "one", "two", "three", "four")
    point = 0
    while True:
        last = sorted(living(catalogue, cats))[:2]
        catalogue.images.delete(cats.id, last)
        add(catalogue, cats, *(f"{point}-{n}" for n in range(4)))
        catalogue.images.delete(cats.id, sorted(living(catalogue, cats))[-1:])
        if not crash_at(point, catalogue, gallery):
            break
        catch_up(catalogue, gallery, changes_per_step=3)
        assert gallery.ids(cats.index.name) == living(catalogue, cats)
        point += 1
    assert point > 20
    assert_equal(catalogue, gallery)


def test_acknowledged_changes_survive_a_kill(tmp_path):
    script = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
from tests.indexing.test_replay import *
with Catalogue.open("sqlite:///{tmp_path}/catalogue.db") as catalogue:
    cats = catalogue.collections.create("cats", SPACE)
    with MilvusGallery("{tmp_path}/milvus.db") as gallery, following(catalogue, gallery) as replay:
        wait_until(lambda: caught_up(catalogue, replay))
        for number in range(10**6):
            ids = add(catalogue, cats, f"{{number}}", f"{{number}} too")
            print("added", ids[0], flush=True)
            catalogue.images.delete(cats.id, ids[1:])
            print("deleted", ids[1], flush=True)
            replay.wake()
"""
    command = [sys.executable, "-c", script]
    with child(command, stdout=subprocess.PIPE, text=True) as writer:
        lines = [writer.stdout.readline() for _ in range(120)]
        writer.kill()
        lines += writer.stdout.readlines()
    reported = {"added": set(), "deleted": set()}
    for line in lines:
        if line.endswith("\n"):
            word, image_id = line.split()
            reported[word].add(int(image_id))
    with (
        Catalogue.open(f"sqlite:///{tmp_path}/catalogue.db") as catalogue,
        MilvusGallery(f"{tmp_path}/milvus.db") as gallery,
    ):
        catch_up(catalogue, gallery)
        assert_equal(catalogue, gallery)
        (cats,) = catalogue.collections.all()
        present = gallery.ids(cats.index.name)
    assert len(reported["added"]) >= 60
    assert reported["added"] <= present
    assert not reported["deleted"] & present


def test_a_deleted_index_is_rebuilt(catalogue, cats, gallery, tmp_path):
    ids = add(catalogue, cats, *(str(n) for n in range(50)))
    catalogue.images.delete(cats.id, ids[:10])
    catch_up(catalogue, gallery)
    with MilvusGallery(str(tmp_path / "new.db")) as new:
        catch_up(catalogue, new)
        assert new.ids(cats.index.name) == set(ids[10:])
        assert_equal(catalogue, new)


def back_up(path, copy):
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()


@on_both
def test_a_restored_backup_gets_an_index_of_its_own_state(catalogue, cats, gallery, tmp_path):
    ids = add(catalogue, cats, "a", "b", "c")
    catch_up(catalogue, gallery)
    back_up(tmp_path / "catalogue.db", tmp_path / "backup.db")
    catalogue.images.delete(cats.id, ids[:1])
    add(catalogue, cats, "after the backup", "and another")
    catch_up(catalogue, gallery)
    with Catalogue.open(f"sqlite:///{tmp_path}/backup.db") as restored:
        catch_up(restored, gallery)
        assert gallery.ids(cats.index.name) == set(ids)
        (again,) = add(restored, cats, "another picture with an id that was used")
        catch_up(restored, gallery)
        assert_equal(restored, gallery)
        assert again in gallery.ids(cats.index.name)


@on_both
def test_unknown_rows_are_deleted_from_the_index(catalogue, cats, gallery):
    ids = add(catalogue, cats, "a")
    catch_up(catalogue, gallery)
    gallery.upsert(cats.index.name, [777, 778], [np.eye(DIMENSION, dtype=np.float32)[0]] * 2)
    catch_up(catalogue, gallery)
    assert gallery.ids(cats.index.name) == set(ids)


@on_both
def test_missing_rows_are_written_again(catalogue, cats, gallery):
    ids = add(catalogue, cats, "a", "b", "c")
    catch_up(catalogue, gallery)
    gallery.delete(cats.index.name, ids[:2])
    catch_up(catalogue, gallery)
    assert gallery.ids(cats.index.name) == set(ids)
    assert_equal(catalogue, gallery)


def test_an_index_with_duplicate_rows_is_rebuilt(catalogue, cats, gallery, monkeypatch):
    """A kill while Milvus Lite moves rows can leave them in a segment and in the log."""
    add(catalogue, cats, "a", "b", "c")
    catch_up(catalogue, gallery)
    dropped, search, drop = [], MilvusGallery.search_stored, MilvusGallery.drop

    def twice(self, name, *arguments, **options):
        near = search(self, name, *arguments, **options)
        return near if dropped else [one for one in near for _ in range(2)]

    def dropping(self, name):
        dropped.append(name)
        drop(self, name)

    monkeypatch.setattr(MilvusGallery, "search_stored", twice)
    monkeypatch.setattr(MilvusGallery, "drop", dropping)
    catch_up(catalogue, gallery)
    assert dropped == [cats.index.name]
    assert_equal(catalogue, gallery)


def test_an_index_with_wrong_descriptors_is_rebuilt(catalogue, cats, gallery):
    """Milvus Lite has no checksums, so changed bytes of its files only show in wrong scores."""
    a, *_ = add(catalogue, cats, "a", "b", "c")
    catch_up(catalogue, gallery)
    gallery.upsert(cats.index.name, [a], [np.eye(DIMENSION, dtype=np.float32)[0]])
    catch_up(catalogue, gallery)
    assert_equal(catalogue, gallery)


@on_both
def test_rows_of_tombstones_that_reappear_are_deleted_again(catalogue, cats, gallery):
    """Milvus Lite does not sync its log, so a power cut may undo a deletion."""
    a, b = add(catalogue, cats, "a", "b")
    catch_up(catalogue, gallery)
    catalogue.images.delete(cats.id, [a])
    now = catalogue.collections.named("cats")
    catalogue.indexes.set_applied(cats.index.id, now.index.revision)  # applied, it believes
    catch_up(catalogue, gallery)
    assert gallery.ids(cats.index.name) == {b}


# Collections that go


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


# Trouble


def test_without_milvus_the_catalogue_works_and_the_lag_grows(catalogue, cats):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        with (
            MilvusGallery(f"http://127.0.0.1:{taken.getsockname()[1]}") as nowhere,
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
