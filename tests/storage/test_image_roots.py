"""Opening of files below an image root: which names open, and the errors of all others."""

import os

import pytest

from bento_service.errors import Forbidden, PathNotFound
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.storage.conftest import write
from tests.storage.roots import assert_refused, read, walked
from tests.support.file_access import open_files


@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "cats/tom/1.jpg",
        "with space.jpg",
        " .jpg",
        "two\nlines.jpg",
        "quote'\".jpg",
        "PHOTO.JPG",
        ".hidden",
        "-rf",
        "~",
        "日本.jpg",
        "caf\udce9.jpg",
        "back\\slash.jpg",
    ],
)
def test_any_name_that_a_file_can_have_is_opened(name, roots, folder):
    write(folder, name)
    located = roots.locate(name)
    assert read(roots, located.path) == name.encode("utf-8", "surrogateescape")
    roots.check(located)
    assert walked(roots) == [located.path]


def test_a_path_longer_than_the_kernel_takes_at_once_is_opened(roots, folder):
    deep = "/".join(["d" * 200] * 25)  # 5,024 characters; the kernel's limit is 4,096
    parent = os.open(folder, os.O_RDONLY)
    for name in deep.split("/"):
        os.mkdir(name, dir_fd=parent)
        below = os.open(name, os.O_RDONLY, dir_fd=parent)
        os.close(parent)
        parent = below
    os.close(os.open("a.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=parent))
    os.close(parent)
    assert walked(roots) == [f"{deep}/a.jpg"]
    assert read(roots, f"{deep}/a.jpg") == b""


@pytest.mark.parametrize("path", ["../private/secret.jpg", "cats/../../private/secret.jpg", ".."])
def test_opening_rejects_parent_components(path, roots, folder, outside):
    write(folder, "cats/a.jpg")
    with pytest.raises(Forbidden):
        read(roots, path)


def test_an_absolute_path_is_opened_relative_to_the_root(roots, folder, outside):
    with pytest.raises(PathNotFound):
        read(roots, str(outside / "secret.jpg"))


def test_the_error_for_a_missing_path_names_it(roots, folder):
    write(folder, "a.jpg")
    for path, missing in (("b.jpg", "b.jpg"), ("cats/b.jpg", "cats")):
        assert_refused(roots, path, PathNotFound, match=missing)


def test_a_name_that_is_too_long_is_not_found(roots):
    for path in ("n" * 300, "n" * 300 + "/a.jpg"):
        assert_refused(roots, path, PathNotFound)


def test_the_error_for_a_missing_root_does_not_reveal_its_path(roots, folder):
    located = roots.locate("a.jpg")
    folder.rmdir()
    for act in (
        lambda: read(roots, "a.jpg"),
        lambda: roots.check(located),
        lambda: walked(roots, "a.jpg"),
    ):
        with pytest.raises(PathNotFound, match="image root 'pictures'") as caught:
            act()
        assert str(folder) not in str(caught.value)


def test_the_error_for_an_unknown_root_names_it(roots):
    with pytest.raises(PathNotFound, match="image root 'old'"), roots.opened("old", "a.jpg"):
        pass


def test_a_folder_cannot_be_read_like_a_file(roots, folder):
    write(folder, "cats/a.jpg")
    before = open_files(folder)
    for path in ("cats", ""):
        with pytest.raises(Forbidden, match="is a folder; name a file"):
            read(roots, path)
    assert open_files(folder) == before


def test_a_file_in_the_place_of_a_folder_is_forbidden(roots, folder):
    write(folder, "a.jpg")
    with pytest.raises(Forbidden):
        read(roots, "a.jpg/b.jpg")


def test_unreadable_files_and_folders_are_forbidden_with_advice(public_folder, as_nobody):
    write(public_folder, "open.jpg", "shut.jpg", "locked/a.jpg")
    (public_folder / "shut.jpg").chmod(0)
    (public_folder / "locked").chmod(0)
    roots = ImageRoots([ImageRoot("pictures", public_folder)])
    with as_nobody():
        assert read(roots, "open.jpg") == b"open.jpg"
        for path in ("shut.jpg", "locked/a.jpg"):
            with pytest.raises(Forbidden, match="permissions"):
                read(roots, path)
        with pytest.raises(Forbidden, match="permissions"):
            roots.check(roots.locate("locked/a.jpg"))
        with pytest.raises(Forbidden, match="permissions"):
            walked(roots, "locked")
        assert walked(roots) == ["open.jpg", "shut.jpg"]
    (public_folder / "locked").chmod(0o755)


def test_a_file_of_a_terabyte_costs_nothing_to_open(roots, folder):
    with (folder / "huge.jpg").open("wb") as file:
        file.truncate(2**40)
    with roots.opened("pictures", "huge.jpg") as file:
        assert file.stream.seek(0, 2) == file.stamp.size == 2**40
