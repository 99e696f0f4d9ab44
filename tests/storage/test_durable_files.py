import pytest

from bento_service.storage.durable_files import replacing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_the_block_has_ended(tmp_path):
    file = tmp_path / "manifest.json"
    file.write_text("old")
    with replacing(file) as new:
        new.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert names(tmp_path) == ["manifest.json"]


def test_a_block_that_raises_leaves_the_former_file_and_nothing_else(tmp_path):
    file = tmp_path / "manifest.json"
    file.write_text("old")

    def write():
        with replacing(file) as new:
            new.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert file.read_text() == "old"
    assert names(tmp_path) == ["manifest.json"]


def test_leftovers_of_a_killed_process_are_overwritten(tmp_path):
    file = tmp_path / "images.parquet"
    with replacing(file) as killed:
        killed.write_text("whole")
        left = killed.name
    (tmp_path / left).write_text("half, and longer than the next one")
    with replacing(file) as new:
        new.write_text("next")
    assert file.read_text() == "next"
    assert names(tmp_path) == ["images.parquet"]


def test_writers_of_the_same_file_do_not_share_a_new_one(tmp_path):
    file = tmp_path / "shard.parquet"
    with replacing(file, suffix="a") as first, replacing(file, suffix="b") as second:
        first.write_text("first")
        second.write_text("second")
    assert file.read_text() == "first"
    assert names(tmp_path) == ["shard.parquet"]
