"""Symbolic links, pipes, sockets and devices below an image root, which are never opened."""

import os
import socket
from pathlib import Path

import pytest

from bento_service.errors import Forbidden, PathNotFound
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.storage.conftest import write
from tests.storage.roots import assert_refused, read, walked
from tests.support.file_access import open_files


def links_to(folder, outside):
    """Create symbolic links of every kind in the root, and return their names."""
    write(folder, "real/a.jpg")
    (folder / "file").symlink_to(outside / "secret.jpg")
    (folder / "folder").symlink_to(outside)
    (folder / "inside").symlink_to("real")
    (folder / "inside.jpg").symlink_to("real/a.jpg")
    (folder / "loop").symlink_to("loop")
    (folder / "up").symlink_to("..")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "real" / "middle").symlink_to(outside)
    return (
        "file",
        "folder",
        "folder/secret.jpg",
        "inside",
        "inside/a.jpg",
        "inside.jpg",
        "loop",
        "loop/a.jpg",
        "up",
        "up/private/secret.jpg",
        "dangling",
        "real/middle",
        "real/middle/secret.jpg",
    )


def test_symbolic_links_are_forbidden_in_every_place(roots, folder, outside):
    for path in links_to(folder, outside):
        assert_refused(roots, path, Forbidden)


def test_a_walk_neither_follows_nor_lists_symbolic_links(roots, folder, outside):
    links_to(folder, outside)
    assert walked(roots) == ["real/a.jpg"]


def test_a_folder_that_becomes_a_link_during_a_walk_is_not_followed(roots, folder, outside):
    write(folder, "a.jpg", "b/1.jpg", "c.jpg")
    paths = roots.walk(roots.locate("."), recursive=True, ignore=())
    assert next(paths).path == "a.jpg"
    (folder / "b").rename(folder / "moved")
    (folder / "b").symlink_to(outside)
    assert [file.path for file in paths] == ["c.jpg"]


def test_nothing_outside_is_ever_opened(roots, folder, outside, watch):
    paths = links_to(folder, outside)
    seen = watch(outside)
    walked(roots)
    for path in paths:
        assert_refused(roots, path, Forbidden)
    assert seen.seen() == []
    (outside / "secret.jpg").read_bytes()
    assert "secret.jpg" in seen.seen()  # had it been opened, it would have been seen


@pytest.mark.timeout(60)
def test_pipes_and_sockets_are_forbidden_at_once(roots, folder, monkeypatch):
    monkeypatch.chdir(folder)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for name in ("pipe", "socket"):
        assert_refused(roots, name, Forbidden)
    assert walked(roots) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["zero", "null", "tty"])
def test_devices_are_forbidden(name):
    roots = ImageRoots([ImageRoot("pictures", Path("/dev"))])
    with pytest.raises(Forbidden):
        read(roots, name)
    with pytest.raises(Forbidden):
        roots.check(roots.locate(name))


def test_opening_leaves_no_descriptor_open(roots, folder, outside):
    write(folder, "cats/tom/a.jpg")
    paths = ("cats/tom/a.jpg", "cats/tom", "cats/no", "no/no", *links_to(folder, outside))
    before = open_files(folder)
    for path in paths:
        try:
            read(roots, path)
            roots.check(roots.locate(path))
        except (Forbidden, PathNotFound):
            continue
    assert open_files(folder) == before
