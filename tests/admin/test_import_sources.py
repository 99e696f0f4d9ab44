"""`import` into another data folder, with and without the bytes of the images."""

import shutil

import pytest


def test_images_without_bytes_here_are_left_out_and_reported(other, file):
    code, record = other.admin("import", file, "--collection", "main")

    assert (code, record) == (1, {"new": 8, "known": 0, "left_out": 6})
    assert other.serving("state")["main"]["readable"] == 8


def test_uploads_are_copied_from_the_given_folder(place, other, file):
    before = place.serving("state")["main"]
    dry = other.admin(
        "import", file, "--collection", "main", "--uploads", place.data / "uploads", "--dry-run"
    )
    assert dry == (0, {"new": 14, "known": 0, "left_out": 0})
    assert other.uploads() == {}

    code, _ = other.admin(
        "import", file, "--collection", "main", "--uploads", place.data / "uploads"
    )

    assert code == 0
    after = other.serving("state")["main"]
    assert after["searches"] == before["searches"]
    assert after["readable"] == 14


def test_without_bytes_everything_is_imported_and_found(place, other, file):
    before = place.serving("state")["main"]
    shutil.rmtree(place.pictures)
    place.pictures.mkdir()

    code, record = other.admin("import", file, "--collection", "main", "--without-bytes")

    assert (code, record["new"]) == (0, 14)
    after = other.serving("state")["main"]
    assert after["searches"] == before["searches"]
    assert after["readable"] == 0


@pytest.mark.parametrize("is_partly_known", [False, True])
def test_uploads_of_images_without_bytes_are_copied_by_the_next_import(
    is_partly_known, place, other, file
):
    other.admin("import", file, "--collection", "main", "--without-bytes")
    if is_partly_known:
        other.sql("DELETE FROM images WHERE id = (SELECT max(id) FROM images)")
    again = ("import", file, "--collection", "main", "--uploads", place.data / "uploads")

    assert other.admin(*again, "--dry-run")[0] == 0
    assert other.uploads() == {}
    code, record = other.admin(*again)

    assert (code, record["new"], record["left_out"]) == (0, int(is_partly_known), 0)
    assert other.serving("state")["main"]["readable"] == 14


def test_sources_without_bytes_here_do_not_join_a_root_of_the_same_name(place, other, file):
    another = place.folder / "another" / "pictures"
    another.mkdir(parents=True)
    (another / "7.png").write_bytes((place.pictures / "0.png").read_bytes())
    other.settings["LOOKALIKE_IMAGE_ROOTS"] = str(another)
    ((identity,),) = place.sql("SELECT id FROM instance")

    for _ in range(2):
        other.admin("import", file, "--collection", "main", "--without-bytes")
        roots = other.sql("SELECT root, count(*) FROM sources WHERE kind = 'file' GROUP BY root")
        assert roots == [(f"pictures@{identity[:8]}", 8)]
    names = {root["name"] for root in other.admin("roots")[1]["roots"]}
    assert names == {f"pictures@{identity[:8]}"}


def test_a_changed_file_is_not_imported(place, other, file):
    changed = place.pictures / "3.png"
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)

    assert other.admin("import", file, "--collection", "main")[1]["new"] == 7
