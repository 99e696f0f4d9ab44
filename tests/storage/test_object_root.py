"""Image roots in object storage: a real S3 server with faults, and another file system."""

import hashlib
import os
import time
from uuid import uuid4

import fsspec
import pytest

from bento_service.catalogue.records import Stamp
from bento_service.errors import Forbidden, PathNotFound
from bento_service.settings import ImageRoot, ObjectImageRoot
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.root import Presence
from bento_service.storage.skips import MAX_DEPTH
from tests.storage.roots import ADDRESS, presence, read, walk
from tests.support.file_access import open_files
from tests.support.object_storage import BUCKET
from tests.support.waiting import wait_until

TREE = ("b.jpg", "a.JPG", ".hidden.png", "cats/2.jpg", "cats/1.gif", "cats/old/0.jpg", "Z/1.txt")


@pytest.fixture(params=["s3", "memory"])
def storage(request):
    """Image roots with one root, and a function that stores an object below it."""
    if request.param == "s3":
        s3 = request.getfixturevalue("at_s3")
        return ImageRoots([ObjectImageRoot("pictures", ADDRESS)]), (
            lambda path, data: s3.put(f"some/prefix/{path}", data)
        )
    address = f"memory://{uuid4().hex}/prefix"
    files = fsspec.filesystem("memory")
    return ImageRoots([ObjectImageRoot("pictures", address)]), (
        lambda path, data: files.pipe_file(f"{address}/{path}", data)
    )


@pytest.fixture
def roots(storage):
    return storage[0]


@pytest.fixture
def write(storage):
    """Stores an object for each path; its content is the path."""

    def store(*paths):
        for path in paths:
            storage[1](path, path.encode())

    return store


# Paths


def test_an_address_finds_its_root(at_s3, tmp_path):
    roots = ImageRoots(
        [
            ImageRoot("folder", tmp_path),
            ObjectImageRoot("pictures", ADDRESS),
            ObjectImageRoot("bucket", "s3://other"),
        ]
    )
    for path, name, below in (
        (f"{ADDRESS}/cats//1.jpg", "pictures", "cats/1.jpg"),
        (ADDRESS, "pictures", ""),
        (f"{ADDRESS}/", "pictures", ""),
        ("s3://other/a/b.jpg", "bucket", "a/b.jpg"),
        (f"{tmp_path}/a.jpg", "folder", "a.jpg"),
    ):
        located = roots.locate(path)
        assert (located.root.name, located.path) == (name, below)
    for path in (f"{ADDRESS}2/a.jpg", f"s3://{BUCKET}/some", "s3://othe", f"{ADDRESS}/../a"):
        with pytest.raises(Forbidden):
            roots.locate(path)


@pytest.mark.parametrize("path", ["../a.jpg", "a//b.jpg", "./a.jpg", "a/", "/a.jpg", "a/../b.jpg"])
def test_a_path_that_is_not_a_plain_key_is_not_opened(roots, write, path):
    write("a.jpg", "b.jpg", "a/b.jpg")
    with pytest.raises(Forbidden):
        read(roots, path)


def test_a_name_that_is_no_key_does_not_exist(roots, write):
    write("a.jpg")
    with pytest.raises(PathNotFound):
        roots.check(roots.locate("caf\udce9.jpg"))


@pytest.mark.parametrize(
    "name",
    [
        *("a.jpg", "cats/tom/1.jpg", "with space.jpg", "quote'\".jpg", "PHOTO.JPG", ".hidden"),
        *("~", "日本.jpg", "a+b&c=d?e#f.jpg", "100%.jpg", "%41.jpg", "[a]*.jpg", "a:b.jpg"),
    ],
)
def test_an_object_of_any_name_is_listed_and_read(roots, write, name):
    write(name)
    assert walk(roots) == ([name], {})
    assert read(roots, roots.check(roots.locate(name)).path) == name.encode()
    assert presence(roots, name) is Presence.THERE


@pytest.mark.parametrize("typed", ["M\u00fcller/1.jpg", "Mu\u0308ller/1.jpg"])
@pytest.mark.parametrize("stored", ["M\u00fcller/1.jpg", "Mu\u0308ller/1.jpg"])
def test_accents_may_be_typed_composed_or_not(roots, write, typed, stored):
    write(stored)
    assert roots.check(roots.locate(typed)).path == stored
    assert roots.spelled(roots.locate(typed)).path == stored


# Walking


def test_a_walk_lists_every_object_in_a_stable_order(roots, write):
    write(*TREE)
    paths, _ = walk(roots)
    assert paths == sorted(TREE, key=os.fsencode)
    assert walk(roots) == (paths, {})


def test_a_walk_of_a_folder_or_of_one_object_has_paths_relative_to_the_root(roots, write):
    write(*TREE, "cats2/0.jpg")
    assert walk(roots, "cats")[0] == ["cats/1.gif", "cats/2.jpg", "cats/old/0.jpg"]
    assert walk(roots, "cats/2.jpg")[0] == ["cats/2.jpg"]
    with pytest.raises(PathNotFound, match="'none' does not exist"):
        walk(roots, "none")


def test_a_walk_can_leave_out_the_folders_below(roots, write):
    write(*TREE)
    assert walk(roots, recursive=False)[0] == [".hidden.png", "a.JPG", "b.jpg"]
    assert walk(roots, "cats", recursive=False)[0] == ["cats/1.gif", "cats/2.jpg"]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        (["*.jpg"], [".hidden.png", "Z/1.txt", "cats/1.gif"]),
        (["cats/"], [".hidden.png", "Z/1.txt", "a.JPG", "b.jpg"]),
        (["cats/old/*", ".*"], ["Z/1.txt", "a.JPG", "b.jpg", "cats/1.gif", "cats/2.jpg"]),
        (["*"], []),
    ],
)
def test_patterns_leave_out_objects_and_folders(roots, write, ignore, left):
    write(*TREE)
    assert walk(roots, ignore=ignore) == (left, {})


def test_clutter_is_skipped_and_a_folder_of_it_counts_once(roots, write):
    write("a.jpg", "b/Thumbs.db", "b/@eaDir/1.jpg", "b/@eaDir/2/3.jpg", "c/@eaDir/1.jpg")
    paths, skipped = walk(roots)
    assert paths == ["a.jpg"]
    assert skipped == {"clutter": (3, "b/@eaDir")}


def test_folders_are_walked_a_hundred_deep(roots, write):
    write("d/" * (MAX_DEPTH - 1) + "in.jpg", "d/" * MAX_DEPTH + "out.jpg")
    paths, skipped = walk(roots)
    assert paths == ["d/" * (MAX_DEPTH - 1) + "in.jpg"]
    assert skipped == {"too_deep": (1, "d/" * MAX_DEPTH + "out.jpg")}


def test_keys_that_are_no_paths_are_skipped_and_counted(s3_roots, at_s3):
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    for key in ("b//c.jpg", "b/../c.jpg", "./d.jpg"):
        files.pipe_file(f"{BUCKET}/some/prefix/{key}", b"x")
    assert walk(s3_roots) == (["a.jpg"], {"special": (3, "./d.jpg")})
    assert s3_roots.entries(s3_roots.locate("")) == (["b"], 1)


def test_the_marks_of_folders_are_no_files(s3_roots, at_s3):
    at_s3.put("some/prefix/", b"")
    at_s3.put("some/prefix/cats/", b"")
    at_s3.put("some/prefix/cats/1.jpg", b"1")
    at_s3.put("some/prefix/empty/", b"")
    assert walk(s3_roots) == (["a.jpg", "cats/1.jpg"], {})
    assert s3_roots.entries(s3_roots.locate("")) == (["cats", "empty"], 1)
    assert s3_roots.entries(s3_roots.locate("cats")) == ([], 1)


def test_a_folder_lists_its_folders_and_counts_its_objects(roots, write):
    write("b/1.jpg", "a/2.jpg", "3.jpg", "4.txt", "a/deeper/5.jpg")
    assert roots.entries(roots.locate("")) == (["a", "b"], 2)
    assert roots.entries(roots.locate("a")) == (["deeper"], 1)
    with pytest.raises(Forbidden):
        roots.entries(roots.locate("3.jpg"))
    with pytest.raises(PathNotFound):
        roots.entries(roots.locate("none"))


def test_many_objects_are_listed_by_page(s3_roots, at_s3):
    names = [f"many/{number:04}.jpg" for number in range(1100)]
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.pipe({f"{BUCKET}/some/prefix/{name}": b"x" for name in names})
    at_s3.requests.clear()
    found = s3_roots.walk(s3_roots.locate("many"), recursive=True, ignore=())
    assert next(found).path == names[0]
    assert at_s3.requests.count(("GET", f"/{BUCKET}")) <= 2  # one that `many` is a folder
    assert [file.path for file in found] == names[1:]


# Reading and stamps


def test_a_walk_and_an_opened_object_have_the_same_stamp(s3_roots):
    (listed,) = s3_roots.walk(s3_roots.locate(""), recursive=True, ignore=())
    with s3_roots.opened("pictures", "a.jpg") as file:
        md5 = hashlib.md5(b"one", usedforsecurity=False).hexdigest()
        assert file.stamp == listed.stamp == Stamp(3, None, md5)
        assert file.stream.read() == b"one"
        reading = file.reading()
    assert (reading.etag, reading.mtime_ns, reading.volume) == (md5, None, None)
    assert abs(time.time_ns() - reading.read_ns) < 60 * 10**9
    assert reading.changed_ns >= reading.read_ns


def test_a_changed_object_has_another_stamp_at_once(s3_roots, at_s3):
    def stamps():
        (listed,) = s3_roots.walk(s3_roots.locate(""), recursive=True, ignore=())
        with s3_roots.opened("pictures", "a.jpg") as file:
            return listed.stamp, file.stamp

    before = stamps()
    at_s3.put("some/prefix/a.jpg", b"two")
    after = stamps()
    assert before[0] == before[1] != after[0] == after[1]


def test_what_others_store_and_remove_is_listed_at_once(s3_roots, at_s3):
    assert walk(s3_roots)[0] == ["a.jpg"]
    assert s3_roots.entries(s3_roots.locate("")) == ([], 1)
    at_s3.put("some/prefix/b/c.jpg", b"c")
    at_s3.delete("some/prefix/a.jpg")
    assert walk(s3_roots)[0] == ["b/c.jpg"]
    assert s3_roots.entries(s3_roots.locate("")) == (["b"], 0)
    assert presence(s3_roots, "a.jpg") is Presence.GONE


def test_storage_without_versions_shows_no_unchanged_object(at_s3):
    """An in-memory file system says neither an ETag nor when an object changed."""
    address = f"memory://{uuid4().hex}"
    fsspec.filesystem("memory").pipe_file(f"{address}/a.jpg", b"one")
    roots = ImageRoots([ObjectImageRoot("pictures", address)])
    (listed,) = roots.walk(roots.locate(""), recursive=True, ignore=())
    assert not listed.stamp.shows_changes


def test_the_size_is_known_without_reading(s3_roots, at_s3):
    at_s3.requests.clear()
    with s3_roots.opened("pictures", "a.jpg") as file:
        assert file.stamp.size == 3
    assert at_s3.requests == [("HEAD", f"/{BUCKET}/some/prefix/a.jpg")]


def test_a_folder_is_no_file_and_a_missing_object_is_named(roots, write):
    write("cats/a.jpg")
    for path in ("cats", ""):
        with pytest.raises(Forbidden, match="is a folder; name a file"):
            read(roots, path)
    with pytest.raises(PathNotFound, match=r"'cats/b\.jpg' does not exist"):
        read(roots, "cats/b.jpg")
    with pytest.raises(PathNotFound, match="'dogs' does not exist"):
        roots.check(roots.locate("dogs"))


def test_reading_leaves_no_descriptor_open(s3_roots):
    read(s3_roots, "a.jpg")
    before = len(open_files(""))
    for _ in range(3):
        read(s3_roots, "a.jpg")
    wait_until(lambda: len(open_files("")) <= before)
