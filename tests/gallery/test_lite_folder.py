"""Folders in which Milvus Lite can and cannot start."""

import logging

import pytest

from bento_service.gallery.lite_folder import names_in, set_aside_if_unusable
from bento_service.gallery.milvus_gallery import MilvusGallery

DIMENSION = 16


def a_file_for_the_folder(folder):
    folder.write_bytes(b"\0" * 4096)


def a_file_for_the_collections(folder):
    folder.mkdir()
    (folder / "collections").write_text("")


def a_folder_for_the_lock(folder):
    (folder / "LOCK").mkdir(parents=True)


def zeroed_aliases(folder):
    folder.mkdir()
    (folder / "aliases.json").write_bytes(b"\0" * 64)


def torn_properties(folder):
    folder.mkdir()
    (folder / "database_properties.json").write_text('{"a": ')


UNUSABLE = [
    a_file_for_the_folder,
    a_file_for_the_collections,
    a_folder_for_the_lock,
    zeroed_aliases,
    torn_properties,
]


@pytest.mark.parametrize("damage", UNUSABLE, ids=lambda one: one.__name__)
def test_an_unusable_folder_is_renamed_with_a_warning_and_the_index_starts_empty(
    damage, tmp_path, unit_vectors, caplog
):
    folder = tmp_path / "milvus.db"
    damage(folder)
    with caplog.at_level(logging.WARNING), MilvusGallery(str(folder)) as gallery:
        gallery.open("cats", DIMENSION)
        gallery.upsert("cats", [1], unit_vectors(1))
        assert gallery.ids("cats") == {1}
    (aside,) = [one for one in tmp_path.iterdir() if one != folder]
    assert aside.name.startswith("milvus.db.damaged-")
    assert f"it is now {aside.name} and may be deleted" in caplog.text


def test_intact_and_missing_folders_are_left_alone(tmp_path, written):
    assert set_aside_if_unusable(tmp_path / "nowhere" / "milvus.db") is None
    assert set_aside_if_unusable(written) is None
    assert names_in(written) == ["cats"]


def test_a_damaged_folder_that_is_in_use_is_left_alone(lite, milvus_folder):
    lite.names()
    aliases = milvus_folder / "aliases.json"
    aliases.write_text("[")
    try:
        assert set_aside_if_unusable(milvus_folder) is None
    finally:
        aliases.unlink()


def test_a_dangling_link_is_left_alone(tmp_path):
    link = tmp_path / "milvus.db"
    link.symlink_to(tmp_path / "not mounted" / "milvus.db")
    assert set_aside_if_unusable(link) is None
    assert link.is_symlink()
