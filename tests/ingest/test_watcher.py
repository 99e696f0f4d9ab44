"""Which folders are trained when something changes below a root, on a real file system."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bento_service.errors import PathNotFound
from bento_service.ingest.watcher import Watched, found, told
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots

PATIENCE = 30


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
    """The folders that a source of changes names, one a call."""
    if request.param == "told":
        changes = told(root.path, stop)
    else:
        watched = Watched(root, "default", poll_seconds=0.1)
        changes = found(ImageRoots([root]), watched, stop)
    with ThreadPoolExecutor(1) as thread:

        def following():
            return thread.submit(next, changes, None).result(PATIENCE)

        yield following
        stop.set()


@pytest.mark.parametrize("folders", ["told", "found"], indirect=True)
def test_the_whole_root_comes_first_and_then_what_changed(folders, root):
    assert folders() == Path()
    (root.path / "new.jpg").write_bytes(b"new")
    assert folders() == Path()
    (root.path / "new.jpg").unlink()
    assert folders() == Path()


@pytest.mark.parametrize("folders", ["told"], indirect=True)
def test_one_folder_that_holds_all_changes_is_enough(folders, root):
    assert folders() == Path()
    (root.path / "a/b/1.jpg").write_bytes(b"one")
    assert folders() == Path("a/b")
    (root.path / "a/b/1.jpg").write_bytes(b"other")
    (root.path / "a/c/2.jpg").write_bytes(b"two")
    assert folders() == Path("a")


@pytest.mark.parametrize("folders", ["found"], indirect=True)
def test_a_file_that_is_another_one_is_found_by_its_time(folders, root):
    (root.path / "a/1.jpg").write_bytes(b"one")
    assert folders() == Path()
    os.utime(root.path / "a/1.jpg", (1, 1))
    assert folders() == Path()


@pytest.mark.parametrize("folders", ["told", "found"], indirect=True)
def test_the_end_is_told(folders, stop):
    assert folders() == Path()
    stop.set()
    assert folders() is None


def test_a_root_that_is_gone_is_an_error_to_try_again(root, stop, tmp_path):
    gone = ImageRoot("gone", tmp_path / "gone")
    with pytest.raises(OSError, match="gone"):
        next(told(gone.path, stop))
    with pytest.raises(PathNotFound):
        next(found(ImageRoots([gone]), Watched(gone, "default", poll_seconds=1), stop))


@pytest.mark.parametrize("folders", ["told"], indirect=True)
def test_a_root_in_whose_place_another_comes_is_watched_anew(folders, root):
    assert folders() == Path()
    root.path.rename(root.path.with_name("away"))
    root.path.mkdir()
    with pytest.raises(OSError, match="another folder"):
        folders()
