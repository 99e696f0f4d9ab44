"""Walks of folders: what is skipped is counted, and links that stay under the root are followed."""

import os
import socket

import pytest

from bento_service.catalogue.jobs.pruning import Missed
from bento_service.errors import Forbidden
from bento_service.storage.root import Presence
from bento_service.storage.skips import MAX_DEPTH
from client_sdk.schemas.patterns import is_clutter
from tests.storage.conftest import write
from tests.storage.roots import walk

CLUTTER = [
    *("._IMG_1.jpg", ".DS_Store", "Thumbs.db", "thumbs.DB", "ehthumbs.db", "desktop.ini"),
    *("@eaDir/IMG_1.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/old.jpg", "@Recycle/old.jpg"),
    *(".Trash-1000/files/old.jpg", ".Trashes/501/old.jpg", "$RECYCLE.BIN/S-1-5/old.jpg"),
    *(".picasa.ini", "Picasa.ini", ".picasaoriginals/a.jpg", ".thumbnails/a.jpg"),
    *("System Volume Information/x", "__MACOSX/._a.jpg", ".Spotlight-V100/x", "lost+found/x"),
    *(".AppleDouble/a.jpg", ".fuse_hidden0000001", ".nfs00000012"),
]


def test_clutter_is_skipped_and_counted(roots, folder):
    write(folder, "a.jpg", "b/c.jpg", *(f"b/{name}" for name in CLUTTER))
    paths, skipped = walk(roots)
    assert paths == ["a.jpg", "b/c.jpg"]
    assert skipped == {
        "clutter": (len(CLUTTER), min(f"b/{name.split('/')[0]}" for name in CLUTTER))
    }


@pytest.mark.parametrize(
    "name", ["_a.jpg", ".hidden.jpg", "Thumbs.db.jpg", "recycle", "eaDir", ".git", "my#recycle"]
)
def test_names_that_only_resemble_clutter_are_walked(name):
    assert not is_clutter(name)


def test_clutter_that_is_named_is_walked(roots, folder):
    write(folder, "@eaDir/a.jpg")
    assert walk(roots, "@eaDir") == (["@eaDir/a.jpg"], {})
    assert walk(roots, "@eaDir/a.jpg") == (["@eaDir/a.jpg"], {})


def test_links_and_special_files_are_skipped_and_counted(roots, folder):
    write(folder, "sub/a.jpg")
    (folder / "sub" / "link.jpg").symlink_to("a.jpg")
    (folder / "sub" / "loop").symlink_to(".")
    os.mkfifo(folder / "sub" / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "sub" / "socket"))
    paths, skipped = walk(roots, "sub")
    assert paths == ["sub/a.jpg"]
    assert skipped == {"link": (2, "sub/link.jpg"), "special": (2, "sub/pipe.jpg")}


def test_ignored_files_are_not_counted(roots, folder):
    write(folder, "a.jpg", "b/.DS_Store")
    (folder / "link.jpg").symlink_to("a.jpg")
    assert walk(roots, ignore=("*.jpg", ".DS_Store")) == ([], {})
    assert walk(roots, recursive=False) == (["a.jpg"], {"link": (1, "link.jpg")})


def test_folders_below_the_deepest_are_skipped_and_counted(roots, folder):
    deepest = "/".join("d" * (MAX_DEPTH - 1))
    write(folder, f"{deepest}/a.jpg", f"{deepest}/e/b.jpg")
    assert walk(roots) == ([f"{deepest}/a.jpg"], {"too_deep": (1, f"{deepest}/e")})


def test_a_folder_that_cannot_be_opened_is_skipped_and_counted(roots, folder, monkeypatch):
    write(folder, "a.jpg", "b/c.jpg")
    opened = os.open

    def refusing(path, *arguments, **options):
        if path == "b":
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    assert walk(roots) == (["a.jpg"], {"unreadable": (1, "b")})


# Following links


def followed(roots, path="."):
    return walk(roots, path, follow_links=True)


def read(roots, path):
    with roots.opened("pictures", path, follow_links=True) as file:
        return file.stream.read()


def test_links_to_files_under_the_root_are_followed_as_git_annex_makes_them(roots, folder):
    write(folder, ".git/annex/objects/Xq/1f/SHA256E-s9--abc.jpg")
    (folder / "2024").mkdir()
    (folder / "2024" / "a.jpg").symlink_to("../.git/annex/objects/Xq/1f/SHA256E-s9--abc.jpg")
    assert followed(roots, "2024") == (["2024/a.jpg"], {})
    assert read(roots, "2024/a.jpg") == b".git/annex/objects/Xq/1f/SHA256E-s9--abc.jpg"


def test_absolute_links_and_links_to_links_are_followed(roots, folder):
    write(folder, "real/a.jpg")
    (folder / "one.jpg").symlink_to(folder / "real" / "a.jpg")
    (folder / "two.jpg").symlink_to("one.jpg")
    assert followed(roots) == (["one.jpg", "real/a.jpg", "two.jpg"], {})
    assert read(roots, "two.jpg") == b"real/a.jpg"


def test_links_to_other_folders_under_the_root_are_walked_once(roots, folder):
    write(folder, "albums/own.jpg", "originals/a.jpg", "originals/deep/b.jpg")
    for name in ("one", "two"):
        (folder / "albums" / name).symlink_to("../originals")
    (folder / "albums" / "within").symlink_to("../originals/deep")
    assert followed(roots, "albums") == (
        ["albums/one/a.jpg", "albums/one/deep/b.jpg", "albums/own.jpg"],
        {},
    )
    assert read(roots, "albums/one/deep/b.jpg") == b"originals/deep/b.jpg"


def test_links_to_walked_folders_add_nothing_and_links_to_folders_above_are_skipped(roots, folder):
    write(folder, "a/b/c.jpg")
    (folder / "a" / "self").symlink_to(".")
    (folder / "a" / "b" / "self").symlink_to("../b")
    (folder / "a" / "up").symlink_to("..")
    assert followed(roots, "a") == (["a/b/c.jpg"], {"link": (1, "a/up")})
    assert followed(roots)[0] == ["a/b/c.jpg"]


def test_links_out_of_the_root_to_nothing_and_to_devices_are_never_followed(
    roots, folder, tmp_path
):
    write(tmp_path / "private", "secret.jpg")
    (tmp_path / "pictures-2").mkdir()
    targets = [tmp_path / "private" / "secret.jpg", "../private", "/etc/passwd", "nowhere", "loop"]
    targets += ["/dev/null", "../pictures-2", "/proc/self/root"]
    for number, target in enumerate(targets):
        (folder / f"{number}.jpg").symlink_to(target)
    (folder / "loop").symlink_to("loop")
    assert followed(roots) == ([], {"link": (len(targets) + 1, "0.jpg")})
    for number in range(len(targets)):
        with pytest.raises(Forbidden):
            read(roots, f"{number}.jpg")


def test_clutter_behind_a_link_is_skipped(roots, folder):
    write(folder, "a/x.jpg", "b/._x.jpg", "b/y.jpg")
    (folder / "a" / "b").symlink_to("../b")
    assert followed(roots, "a") == (
        ["a/b/y.jpg", "a/x.jpg"],
        {"clutter": (1, "a/b/._x.jpg")},
    )


def test_a_source_that_is_a_link_is_never_gone(roots, folder):
    write(folder, "real/a.jpg")
    (folder / "link.jpg").symlink_to("real/a.jpg")
    (folder / "b").symlink_to("real")
    missed = [Missed(source_id=0, image_id=0, path=path) for path in ("link.jpg", "b/a.jpg")]
    assert roots.presences("pictures", missed) == [Presence.UNCERTAIN] * 2


# Names in another normal form

COMPOSED, DECOMPOSED = "M\u00fcller", "Mu\u0308ller"


@pytest.mark.parametrize(("typed", "stored"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_a_typed_path_is_found_in_the_spelling_of_the_disk(typed, stored, roots, folder):
    write(folder, f"{stored}/Bu\u0308cher/{stored}.jpg")
    on_disk = f"{stored}/Bu\u0308cher/{stored}.jpg"
    for given in (f"{typed}/B\u00fccher/{typed}.jpg", on_disk):
        assert roots.check(roots.locate(given)).path == on_disk
    assert roots.spelled(roots.locate(f"{typed}/nothing.jpg")).path == f"{stored}/nothing.jpg"


def test_a_name_that_is_there_is_taken_before_one_in_another_normal_form(roots, folder):
    write(folder, COMPOSED, DECOMPOSED)
    for name in (COMPOSED, DECOMPOSED):
        assert roots.check(roots.locate(name)).path == name
