"""Indexes that replay repairs after crashes, kills, restored backups and damage."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.replaying import (
    DIMENSION,
    add,
    assert_equal,
    catch_up,
    caught_up,
    following,
    living,
)
from tests.support.indexes import on_both
from tests.support.models import PROJECT
from tests.support.processes import child
from tests.support.waiting import wait_until


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
from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from tests.indexing.replaying import SPACE, add, caught_up, following
from tests.support.waiting import wait_until
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
