import os
import socket
from pathlib import Path

import pytest

from bento_service.errors import Forbidden, InvalidArgument, PathNotFound
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.storage.conftest import write
from tests.support.file_access import open_files


@pytest.fixture
def outside(tmp_path):
    """Return a folder outside of the root, with a file that must not be read."""
    made = tmp_path / "private"
    made.mkdir()
    (made / "secret.jpg").write_bytes(b"secret")
    return made


def walked(roots, path=".", *, recursive=True, ignore=()):
    files = roots.walk(roots.locate(path), recursive=recursive, ignore=ignore)
    return [file.path for file in files]


def read(roots, path):
    with roots.opened("pictures", path) as file:
        return file.stream.read()


# Locating paths


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("cats//a.jpg", "cats/a.jpg"),
        ("cats/./a.jpg", "cats/a.jpg"),
        ("cats/", "cats"),
        (".", ""),
        ("", ""),
        ("...", "..."),
        ("a..b", "a..b"),
    ],
)
def test_a_relative_path_is_relative_to_the_only_root(given, meant, roots):
    assert roots.locate(given).path == meant


def test_an_absolute_path_finds_its_root(tmp_path):
    roots = ImageRoots([ImageRoot(name, tmp_path / name) for name in ("cats", "dogs")])
    located = roots.locate(f"{tmp_path}/dogs/rex/1.jpg")
    assert (located.root.name, located.path) == ("dogs", "rex/1.jpg")


def test_a_root_itself_can_be_located(roots, folder):
    assert roots.locate(str(folder)).path == ""
    assert roots.locate(f"{folder}/").path == ""


def test_a_linked_root_is_located_by_the_path_that_the_operator_wrote(tmp_path, folder):
    roots = ImageRoots([ImageRoot("pictures", folder, spelled=tmp_path / "link")])
    assert roots.locate(f"{tmp_path}/link/a.jpg").path == "a.jpg"
    assert roots.locate(f"{folder}/a.jpg").path == "a.jpg"


@pytest.mark.parametrize(
    "path",
    ["..", "../private", "cats/..", "cats/../../private", "cats/../a.jpg", "./../a", "a/b/.."],
)
def test_parent_components_are_forbidden_wherever_they_lead(path, roots):
    with pytest.raises(Forbidden):
        roots.locate(path)


def test_parent_components_of_an_absolute_path_are_forbidden(roots, folder):
    with pytest.raises(Forbidden):
        roots.locate(f"{folder}/../private/secret.jpg")
    with pytest.raises(Forbidden):
        roots.locate(f"{folder}/../pictures/a.jpg")


@pytest.mark.parametrize("path", ["/", "/etc/passwd", "//etc/passwd", "/proc/self/root"])
def test_outside_of_every_root_is_forbidden(path, roots):
    with pytest.raises(Forbidden):
        roots.locate(path)


def test_a_folder_whose_name_begins_like_the_roots_is_outside(roots, folder):
    with pytest.raises(Forbidden):
        roots.locate(f"{folder}-of-mine/a.jpg")


def test_the_answer_for_paths_outside_does_not_reveal_if_they_exist(roots, outside, tmp_path):
    messages = []
    for path in (outside / "secret.jpg", tmp_path / "nowhere"):
        with pytest.raises(Forbidden) as caught:
            roots.locate(str(path))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert "private" not in messages[0]


@pytest.mark.parametrize("path", ["a\0.jpg", "/\0", "\ud800.jpg", "/srv/\udfff"])
def test_characters_that_are_invalid_in_paths_are_refused(path, roots):
    with pytest.raises(InvalidArgument):
        roots.locate(path)


def test_without_roots_every_path_is_forbidden_with_advice():
    with pytest.raises(Forbidden, match="LOOKALIKE_IMAGE_ROOTS"):
        ImageRoots([]).locate("a.jpg")


def test_a_relative_path_names_one_of_several_roots(tmp_path):
    roots = ImageRoots([ImageRoot(name, tmp_path / name) for name in ("cats", "dogs")])
    assert roots.names == ("cats", "dogs")
    assert roots.locate("a.jpg", "dogs").root.name == "dogs"
    with pytest.raises(InvalidArgument, match="one of: cats, dogs"):
        roots.locate("a.jpg")
    with pytest.raises(Forbidden):
        roots.locate("a.jpg", "birds")


# Opening


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
        with pytest.raises(PathNotFound, match=missing):
            read(roots, path)
        with pytest.raises(PathNotFound, match=missing):
            roots.check(roots.locate(path))
        with pytest.raises(PathNotFound, match=missing):
            walked(roots, path)


def test_a_name_that_is_too_long_is_not_found(roots):
    for path in ("n" * 300, "n" * 300 + "/a.jpg"):
        with pytest.raises(PathNotFound):
            read(roots, path)
        with pytest.raises(PathNotFound):
            roots.check(roots.locate(path))
        with pytest.raises(PathNotFound):
            walked(roots, path)


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
        with pytest.raises(Forbidden):
            read(roots, path)
        with pytest.raises(Forbidden):
            roots.check(roots.locate(path))
        with pytest.raises(Forbidden):
            walked(roots, path)


def test_a_walk_neither_follows_nor_lists_symbolic_links(roots, folder, outside):
    links_to(folder, outside)
    assert walked(roots) == ["real/a.jpg"]


def test_nothing_outside_is_ever_opened(roots, folder, outside, watch):
    paths = links_to(folder, outside)
    seen = watch(outside)
    walked(roots)
    for path in paths:
        for act in (read, walked, lambda roots, path: roots.check(roots.locate(path))):
            with pytest.raises(Forbidden):
                act(roots, path)
    assert seen.seen() == []
    (outside / "secret.jpg").read_bytes()
    assert "secret.jpg" in seen.seen()  # had it been opened, it would have been seen


@pytest.mark.timeout(10)
def test_pipes_and_sockets_are_forbidden_at_once(roots, folder, monkeypatch):
    monkeypatch.chdir(folder)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for name in ("pipe", "socket"):
        with pytest.raises(Forbidden):
            read(roots, name)
        with pytest.raises(Forbidden):
            roots.check(roots.locate(name))
        with pytest.raises(Forbidden):
            walked(roots, name)
    assert walked(roots) == []


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["zero", "null", "tty"])
def test_devices_are_forbidden(name):
    roots = ImageRoots([ImageRoot("pictures", Path("/dev"))])
    with pytest.raises(Forbidden):
        read(roots, name)
    with pytest.raises(Forbidden):
        roots.check(roots.locate(name))


def test_a_folder_cannot_be_read_like_a_file(roots, folder):
    write(folder, "cats/a.jpg")
    before = open_files(folder)
    for path in ("cats", ""):
        with pytest.raises(Forbidden):
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


# Walking

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


def test_a_folder_that_becomes_a_link_during_a_walk_is_not_followed(roots, folder, outside):
    write(folder, "a.jpg", "b/1.jpg", "c.jpg")
    paths = roots.walk(roots.locate("."), recursive=True, ignore=())
    assert next(paths).path == "a.jpg"
    (folder / "b").rename(folder / "moved")
    (folder / "b").symlink_to(outside)
    assert [file.path for file in paths] == ["c.jpg"]
