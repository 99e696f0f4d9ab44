"""`verify` on an index that differs from the catalogue, is damaged or is missing."""

import shutil

import pytest


def index_of(place, collection="main"):
    return place.sql("SELECT index_name FROM collections WHERE name = ?", collection)[0][0]


def test_unknown_index_rows_are_removed(place, kinds):
    place.serving("tamper", "extra", index_of(place), 700, 701)

    code, record = place.admin("verify")
    assert (code, kinds(record)) == (1, {"index_row_unknown": 2})

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    state = place.serving("state")
    assert state["main"]["index"] == state["main"]["ids"]


def test_missing_index_rows_are_inserted_again(place, kinds):
    gone = place.ids()[:3]
    place.serving("tamper", "missing", index_of(place), *gone)

    code, record = place.admin("verify")
    assert (code, kinds(record)) == (1, {"index_row_missing": 3})
    assert record["findings"][0]["examples"] == [f"image {image_id} of main" for image_id in gone]

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    state = place.serving("state")
    assert state["main"]["index"] == state["main"]["ids"] == place.ids()


def test_a_deleted_index_folder_is_rebuilt(place, kinds):
    before = place.serving("state")
    shutil.rmtree(place.data / "milvus.db")

    code, record = place.admin("verify")
    assert (code, kinds(record)) == (1, {"index_missing": 2})
    assert not (place.data / "milvus.db").exists()  # looking makes nothing

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    assert place.serving("state") == before


@pytest.mark.parametrize("kind", ["*.parquet", "schema.json"])
def test_a_damaged_index_is_found_and_rebuilt(place, kinds, kind):
    before = place.serving("state")
    files = list((place.data / "milvus.db").rglob(kind))
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    code, record = place.admin("verify")
    assert code == 1
    assert kinds(record).keys() == {"index_damaged"}

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    assert place.serving("state") == before


def test_the_index_of_a_deleted_collection_is_dropped(place, kinds):
    left_over = f"{index_of(place)[:-12]}{'f' * 12}"
    place.serving("tamper", "left_over", left_over)

    assert kinds(place.admin("verify")[1]) == {"index_left_over": 1}
    assert place.admin("verify", "--repair")[0] == 0
