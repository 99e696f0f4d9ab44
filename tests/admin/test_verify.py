"""`verify` on damaged data folders of the real application."""

import shutil

import pytest


def index_of(place, collection="main"):
    return place.sql("SELECT index_name FROM collections WHERE name = ?", collection)[0][0]


def ids_of(place, collection="main"):
    rows = place.sql(
        "SELECT i.id FROM images i JOIN collections c ON c.id = i.collection_id "
        "WHERE c.name = ? ORDER BY i.id",
        collection,
    )
    return [row[0] for row in rows]


def test_a_whole_folder_is_clean(place, kinds):
    code, record = place.admin("verify", "--deep")

    assert code == 0
    assert kinds(record) == {}
    assert record["checked"] == {
        "uploads": 9,  # three of the six of one collection are in the other one too
        "images": 20,
        "sources": 20,
        "indexes": 3,  # the default one is empty
        "index rows": 20,
    }


def test_a_missing_upload_is_reported_once_for_each_image(place, kinds):
    digest = next(iter(place.uploads()))
    holders = place.sql("SELECT count(*) FROM images WHERE sha256 = ?", digest)[0][0]
    place.uploads()[digest].unlink()

    code, record = place.admin("verify", "--catalogue-only")

    assert code == 1
    assert kinds(record) == {"image_lost": holders}


def test_a_changed_file_of_the_same_size_is_found_only_by_deep(place, kinds):
    file = place.pictures / "3.png"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)

    assert place.admin("verify", "--catalogue-only")[0] == 0
    code, record = place.admin("verify", "--catalogue-only", "--deep")
    assert code == 1
    assert kinds(record) == {"image_lost": 1}
    assert "3.png is changed" in record["findings"][0]["examples"][0]


def test_a_file_that_grew_is_found_without_reading_it(place, kinds):
    with (place.pictures / "3.png").open("ab") as file:
        file.write(b"more")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"image_lost": 1}


def test_an_image_with_another_whole_source_is_not_lost(place, kinds):
    place.sql(
        "INSERT INTO sources (image_id, kind, root, path, sha256) "
        "SELECT image_id, kind, root, CAST('gone.png' AS BLOB), sha256 FROM sources "
        "WHERE path = CAST('3.png' AS BLOB)"
    )

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"source_lost": 1}


def test_a_root_that_is_not_mounted_makes_no_image_lost(place, kinds):
    for file in place.pictures.iterdir():
        file.unlink()

    code, record = place.admin("verify", "--catalogue-only", "--repair", "--drop-missing")

    assert code == 1
    assert kinds(record) == {"image_out_of_reach": 8}
    assert len(ids_of(place)) == 14


def test_without_configured_roots_the_remembered_ones_are_checked(place):
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]

    assert place.admin("verify", "--catalogue-only")[0] == 0


def test_a_forgotten_root_makes_no_image_lost(place, kinds):
    del place.settings["LOOKALIKE_IMAGE_ROOTS"]
    place.admin("roots", "--forget", "pictures")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"image_out_of_reach": 8}


def test_unneeded_uploads_are_found_and_removed(place, kinds):
    extra = place.data / "uploads" / "ab" / ("ab" + "0" * 62)
    extra.parent.mkdir(exist_ok=True)
    extra.write_bytes(b"nobody's")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"upload_unneeded": 1}
    _, dry = place.admin("verify", "--catalogue-only", "--repair", "--dry-run")
    assert dry["would_be_done"] == ["1 upload_unneeded repaired"]
    assert extra.exists()

    code, record = place.admin("verify", "--catalogue-only", "--repair")

    assert (code, kinds(record)) == (0, {})
    assert not extra.exists()
    assert len(place.uploads()) == 9


def test_foreign_files_in_the_uploads_folder_are_reported_and_kept(place, kinds):
    stray = place.data / "uploads" / "ab" / "notes.txt"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("mine")

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"upload_stray": 1}
    place.admin("verify", "--catalogue-only", "--repair")
    assert stray.read_text() == "mine"


def test_unknown_index_rows_are_removed(place, kinds):
    place.serving("tamper", "extra", index_of(place), 700, 701)

    code, record = place.admin("verify")
    assert (code, kinds(record)) == (1, {"index_row_unknown": 2})

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    state = place.serving("state")
    assert state["main"]["index"] == state["main"]["ids"]


def test_missing_index_rows_are_inserted_again(place, kinds):
    gone = ids_of(place)[:3]
    place.serving("tamper", "missing", index_of(place), *gone)

    code, record = place.admin("verify")
    assert (code, kinds(record)) == (1, {"index_row_missing": 3})
    assert record["findings"][0]["examples"] == [f"image {image_id} of main" for image_id in gone]

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    state = place.serving("state")
    assert state["main"]["index"] == state["main"]["ids"] == ids_of(place)


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


def test_a_repair_removes_what_refers_to_rows_deleted_by_hand(place, kinds):
    """SQLite enforces foreign keys only in connections that enable it."""
    ((image_id, digest),) = place.sql(
        "SELECT image_id, sha256 FROM sources WHERE kind = 'upload' AND sha256 IN "
        "(SELECT sha256 FROM images GROUP BY sha256 HAVING count(*) = 1) LIMIT 1"
    )
    place.sql("DELETE FROM images WHERE id = ?", image_id)

    code, record = place.admin("verify")
    assert code == 1
    assert kinds(record) == {"row_dangling": 3, "index_row_unknown": 1}

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    assert digest not in place.uploads()
    for table in ("sources", "descriptors", "miniatures"):
        left = place.sql(f"SELECT count(*) FROM {table} WHERE image_id = ?", image_id)  # noqa: S608
        assert left == [(0,)]


def test_attributes_without_an_image_are_found_and_removed(place, kinds):
    place.sql(
        "INSERT INTO attributes (image_id, collection_id, place, kind) "
        "VALUES (900, 2, 'a', 'null'), (900, 2, 'b', 'null')"
    )

    assert kinds(place.admin("verify", "--catalogue-only")[1]) == {"row_dangling": 2}
    code, record = place.admin("verify", "--catalogue-only", "--repair")
    assert (code, kinds(record)) == (0, {})
    assert place.sql("SELECT count(*) FROM attributes WHERE image_id = 900") == [(0,)]


def test_descriptors_survive_a_collection_deleted_by_hand(place):
    place.sql("DELETE FROM collections WHERE name = 'main'")
    before = place.sql("SELECT * FROM descriptors")

    place.admin("verify", "--catalogue-only", "--repair")

    assert place.sql("SELECT * FROM descriptors") == before


def test_an_image_whose_sources_were_deleted_by_hand_is_lost(place, kinds):
    image_id = ids_of(place)[0]
    place.sql("DELETE FROM sources WHERE image_id = ?", image_id)

    _, record = place.admin("verify", "--catalogue-only")

    assert kinds(record)["image_lost"] == 1
    assert f"image {image_id} of main: it has no source" in str(record["findings"])


def test_lost_images_are_deleted_only_with_drop_missing(place, kinds):
    (place.pictures / "3.png").unlink()

    code, record = place.admin("verify", "--repair")
    assert (code, kinds(record)) == (1, {"image_lost": 1})
    assert len(ids_of(place)) == 14

    code, record = place.admin("verify", "--repair", "--drop-missing")
    assert (code, kinds(record)) == (0, {})
    state = place.serving("state")["main"]
    assert len(state["ids"]) == state["readable"] == 13
    assert state["index"] == state["ids"]


def test_drop_missing_alone_is_refused(place):
    assert "--repair" in place.refused("verify", "--catalogue-only", "--drop-missing")


def test_a_damaged_descriptor_is_found_by_deep(place, kinds):
    change = "UPDATE descriptors SET descriptor ="
    place.sql(f"{change} zeroblob(length(descriptor)) WHERE image_id = 1")
    place.sql(f"{change} x'00' WHERE image_id = 2")
    place.sql("DELETE FROM descriptors WHERE image_id = 3")

    assert kinds(place.admin("verify", "--catalogue-only", "--deep")[1]) == {
        "descriptor_damaged": 3
    }


def test_nothing_is_repaired_from_a_damaged_catalogue(place):
    file = place.data / "catalogue.db"
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 3 + 2000] = b"\x17" * 2000
    file.write_bytes(data)

    code, out, err = place.run("verify", "--catalogue-only", "--json")

    assert code == 2 or "catalogue_damaged" in out, err
    assert place.run("verify", "--catalogue-only", "--repair")[0] == 2


def test_one_collection_can_be_checked_alone(place, kinds):
    (place.pictures / "3.png").unlink()

    assert place.admin("verify", "--collection", "sent", "--catalogue-only")[0] == 0
    assert place.admin("verify", "--collection", "main", "--catalogue-only")[0] == 1
    assert "does not exist" in place.refused(
        "verify", "--collection", "nothing", "--catalogue-only"
    )


def test_the_text_has_counts_meanings_and_examples(place):
    (place.pictures / "3.png").unlink()

    code, out, err = place.run("verify", "--catalogue-only")

    assert code == 1
    assert "1  image_lost: no source has the image's bytes" in out
    assert "pictures/3.png is gone" in out
    assert "images: 100%" in err


@pytest.fixture
def running(place):
    """Yield the place while a service runs on it."""
    with place.start_serving("hold") as process:
        assert process.stdout.readline() == "ready\n"
        yield place


def test_a_running_service_blocks_only_the_check_of_the_index(running):
    assert "use --catalogue-only" in running.refused("verify")
    assert running.admin("verify", "--catalogue-only")[0] == 0
    for command in (
        ["verify", "--catalogue-only", "--repair"],
        ["compact"],
        ["restore", running.folder / "backup", "--force"],
        ["import", running.folder / "main.parquet", "--collection", "copy"],
    ):
        if command[0] == "restore":
            assert running.admin("backup", running.folder / "backup")[0] == 0
        if command[0] == "import":
            assert (
                running.admin("export", running.folder / "main.parquet", "--collection", "main")[0]
                == 0
            )
        assert "stop the service" in running.refused(*command)


def test_without_a_catalogue_nothing_is_created(place):
    empty = place.folder / "empty"
    empty.mkdir()
    place.settings["LOOKALIKE_DATA_DIR"] = str(empty)

    assert "there is no catalogue" in place.refused("verify", "--catalogue-only")
    assert list(empty.iterdir()) == []


def test_damaged_hashes_are_found_and_computed_again(place, kinds):
    damaged, *_ = ids_of(place)
    before = place.sql("SELECT hashes FROM images WHERE id = ?", damaged)[0][0]
    place.sql("UPDATE images SET hashes = CAST('short' AS BLOB) WHERE id = ?", damaged)
    code, record = place.admin("verify", "--catalogue-only")
    assert (code, kinds(record)) == (1, {"hashes_damaged": 1})
    assert f"image {damaged} of main: hashes of 5 bytes" in record["findings"][0]["examples"][0]

    assert place.admin("verify", "--repair")[0] == 0
    place.serving("hashed")

    assert len(before) in (0, 64)
    assert place.sql("SELECT hashes FROM images WHERE id = ?", damaged)[0][0] == before
