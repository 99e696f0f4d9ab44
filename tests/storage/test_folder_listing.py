"""Walks and listings of a folder below an image root: order, depth, ignore patterns, changes."""

import os

import pytest

from bento_service.errors import Forbidden, PathNotFound
from tests.storage.conftest import write
from tests.storage.roots import walked
from tests.support.file_access import open_files

TREE = ("b.jpg", "a.JPG", ".hidden.png", "cats/2.jpg", "cats/1.gif", "cats/old/0.jpg", "Z/1.txt")
IN_ORDER = [
    ".hidden.png",
    "Z/1.txt",
    "a.JPG",
    "b.jpg",
    "cats/1.gif",
    "cats/2.jpg",
    "cats/old/0.jpg",
]


def test_a_walk_finds_every_file_in_a_stable_order(roots, folder):
    write(folder, *TREE)
    assert walked(roots) == IN_ORDER
    assert walked(roots) == IN_ORDER


def test_a_walk_can_skip_the_folders_below(roots, folder):
    write(folder, *TREE)
    assert walked(roots, recursive=False) == [".hidden.png", "a.JPG", "b.jpg"]
    assert walked(roots, "cats", recursive=False) == ["cats/1.gif", "cats/2.jpg"]


def test_a_walk_goes_a_hundred_folders_deep(roots, folder):
    write(folder, "d/" * 99 + "in.jpg", "d/" * 100 + "out.jpg")
    assert walked(roots) == ["d/" * 99 + "in.jpg"]


def test_a_walk_of_a_folder_returns_paths_relative_to_the_root(roots, folder):
    write(folder, *TREE)
    assert walked(roots, "cats") == ["cats/1.gif", "cats/2.jpg", "cats/old/0.jpg"]
    assert walked(roots, "cats/old") == ["cats/old/0.jpg"]


def test_a_walk_of_one_file_returns_that_file(roots, folder):
    write(folder, *TREE)
    assert walked(roots, "cats/2.jpg") == ["cats/2.jpg"]


def test_an_empty_folder_has_no_files(roots):
    assert walked(roots) == []


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["*.jpg"], [".hidden.png", "Z/1.txt", "cats/1.gif"]),
        (["cats/*"], [".hidden.png", "Z/1.txt", "a.JPG", "b.jpg"]),
        (["cats/old/*", ".*"], ["Z/1.txt", "a.JPG", "b.jpg", "cats/1.gif", "cats/2.jpg"]),
        (["[ab].*"], [".hidden.png", "Z/1.txt", "cats/1.gif", "cats/2.jpg", "cats/old/0.jpg"]),
        (["1.*", "?.jpg"], [".hidden.png"]),
        (["*"], []),
        (["nothing", "["], IN_ORDER),
    ],
)
def test_patterns_skip_paths_and_names(ignore, left, roots, folder):
    write(folder, *TREE)
    assert walked(roots, ignore=ignore) == left


def test_patterns_are_relative_to_the_walked_folder(roots, folder):
    write(folder, *TREE)
    assert walked(roots, "cats", ignore=["cats/*"]) == walked(roots, "cats")
    assert walked(roots, "cats", ignore=["old/*"]) == ["cats/1.gif", "cats/2.jpg"]


def test_names_that_are_not_text_are_walked_in_the_order_of_their_bytes(roots, folder):
    names = [b"\xff.jpg", b"\xc3\xa9.jpg", b"a.jpg", b"\x80/b.jpg"]
    write(folder, *map(os.fsdecode, names))
    assert [os.fsencode(path) for path in walked(roots)] == sorted(names)


def test_a_folder_lists_its_folders_and_counts_its_files(roots, folder, outside):
    write(folder, "b/1.jpg", "a/2.jpg", "3.jpg", "4.txt", "a/deeper/5.jpg")
    (folder / "link").symlink_to(outside)
    (folder / "link.jpg").symlink_to(outside / "secret.jpg")
    assert roots.entries(roots.locate("")) == (["a", "b"], 2)
    assert roots.entries(roots.locate("a")) == (["deeper"], 1)


@pytest.mark.parametrize(
    ("path", "error"), [("none", PathNotFound), ("3.jpg", Forbidden), ("link", Forbidden)]
)
def test_only_a_folder_lists_its_entries(path, error, roots, folder, outside):
    write(folder, "3.jpg")
    (folder / "link").symlink_to(outside)
    before = open_files(folder)
    with pytest.raises(error):
        roots.entries(roots.locate(path))
    roots.entries(roots.locate(""))
    assert open_files(folder) == before


def test_an_unfinished_walk_leaves_no_descriptor_open(roots, folder):
    write(folder, *(f"a/b/c/d/{n}.jpg" for n in range(3)), "e/f.jpg")
    before = open_files(folder)
    paths = roots.walk(roots.locate("."), recursive=True, ignore=())
    next(paths)
    assert open_files(folder) - before
    paths.close()
    assert open_files(folder) == before


def test_a_finished_walk_leaves_no_descriptor_open(roots, folder):
    write(folder, *TREE)
    before = open_files(folder)
    walked(roots)
    assert open_files(folder) == before


def test_a_folder_that_vanishes_during_a_walk_is_skipped(roots, folder):
    write(folder, "a.jpg", "b/1.jpg", "c.jpg")
    paths = roots.walk(roots.locate("."), recursive=True, ignore=())
    assert next(paths).path == "a.jpg"
    (folder / "b/1.jpg").unlink()
    (folder / "b").rmdir()
    assert [file.path for file in paths] == ["c.jpg"]
