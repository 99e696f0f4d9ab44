"""Folders that are trained after changes below a root, on a real file system."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bento_service.errors import PathNotFound
from bento_service.ingest.watcher import Watched, notified_folders, polled_folders
from bento_service.settings import ImageRoot, ObjectImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.support.object_storage import BUCKET
from tests.support.waiting import WAIT_SECONDS


@pytest.fixture
def root(tmp_path):
    for name in ("a/b", "a/c", "d"):
        (tmp_path / name).mkdir(parents=True)
    return ImageRoot("pictures", tmp_path)


@pytest.fixture
def stop():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def folders(root, stop, request):
    """Yield a function that returns the next folder of notifications or of polling."""
    if request.param == "notified":
        changes = notified_folders(root.path, stop)
    else:
        watched = Watched(root, "default", poll_seconds=0.1)
        changes = polled_folders(ImageRoots([root]), watched, stop)
    with ThreadPoolExecutor(1) as thread:

        def following():
            return thread.submit(next, changes, None).result(WAIT_SECONDS)

        yield following
        stop.set()


@pytest.mark.parametrize("folders", ["notified", "polled"], indirect=True)
def test_the_whole_root_is_first_and_changed_folders_follow(folders, root):
    assert folders() == Path()
    (root.path / "new.jpg").write_bytes(b"new")
    assert folders() == Path()
    (root.path / "new.jpg").unlink()
    assert folders() == Path()


@pytest.mark.parametrize("folders", ["notified"], indirect=True)
def test_the_lowest_folder_with_all_changes_is_named(folders, root):
    assert folders() == Path()
    (root.path / "a/b/1.jpg").write_bytes(b"one")
    assert folders() == Path("a/b")
    (root.path / "a/b/1.jpg").write_bytes(b"other")
    (root.path / "a/c/2.jpg").write_bytes(b"two")
    assert folders() == Path("a")


@pytest.mark.parametrize("folders", ["polled"], indirect=True)
def test_a_replaced_file_is_recognised_by_its_time(folders, root):
    (root.path / "a/1.jpg").write_bytes(b"one")
    assert folders() == Path()
    os.utime(root.path / "a/1.jpg", (1, 1))
    assert folders() == Path()


@pytest.mark.parametrize("folders", ["notified", "polled"], indirect=True)
def test_stopping_ends_the_folders(folders, stop):
    assert folders() == Path()
    stop.set()
    assert folders() is None


def test_objects_are_polled_although_no_interval_is_set(at_s3, stop):
    at_s3.put("shop/a.jpg", b"one")
    root = ObjectImageRoot("shop", f"s3://{BUCKET}/shop")
    changes = polled_folders(ImageRoots([root]), Watched(root, "default"), stop, usual_seconds=0.1)
    assert next(changes) == Path()
    at_s3.put("shop/a.jpg", b"two")  # as long as before, perhaps in the same second
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(next, changes).result(WAIT_SECONDS) == Path()
        stop.set()


def test_a_missing_root_is_an_error(root, stop, tmp_path):
    gone = ImageRoot("gone", tmp_path / "gone")
    with pytest.raises(OSError, match="gone"):
        next(notified_folders(gone.path, stop))
    with pytest.raises(PathNotFound):
        next(polled_folders(ImageRoots([gone]), Watched(gone, "default", poll_seconds=1), stop))


@pytest.mark.parametrize("folders", ["notified"], indirect=True)
def test_a_root_that_another_folder_replaces_is_an_error(folders, root):
    assert folders() == Path()
    root.path.rename(root.path.with_name("away"))
    root.path.mkdir()
    with pytest.raises(OSError, match="another folder"):
        folders()
