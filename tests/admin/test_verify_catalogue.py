"""`verify` on a catalogue that is missing or damaged, or has rows that were changed by hand."""


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
    image_id = place.ids()[0]
    place.sql("DELETE FROM sources WHERE image_id = ?", image_id)

    _, record = place.admin("verify", "--catalogue-only")

    assert kinds(record)["image_lost"] == 1
    assert f"image {image_id} of main: it has no source" in str(record["findings"])


def test_a_damaged_descriptor_is_found_by_deep(place, kinds):
    change = "UPDATE descriptors SET descriptor ="
    place.sql(f"{change} zeroblob(length(descriptor)) WHERE image_id = 1")
    place.sql(f"{change} x'00' WHERE image_id = 2")
    place.sql("DELETE FROM descriptors WHERE image_id = 3")

    assert kinds(place.admin("verify", "--catalogue-only", "--deep")[1]) == {
        "descriptor_damaged": 3
    }


def test_damaged_hashes_are_found_and_computed_again(place, kinds):
    damaged, *_ = place.ids()
    before = place.sql("SELECT hashes FROM images WHERE id = ?", damaged)[0][0]
    place.sql("UPDATE images SET hashes = CAST('short' AS BLOB) WHERE id = ?", damaged)
    code, record = place.admin("verify", "--catalogue-only")
    assert (code, kinds(record)) == (1, {"hashes_damaged": 1})
    assert f"image {damaged} of main: hashes of 5 bytes" in record["findings"][0]["examples"][0]

    assert place.admin("verify", "--repair")[0] == 0
    place.serving("hashed")

    assert len(before) in (0, 64)
    assert place.sql("SELECT hashes FROM images WHERE id = ?", damaged)[0][0] == before


def test_nothing_is_repaired_from_a_damaged_catalogue(place):
    file = place.data / "catalogue.db"
    place.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(file.read_bytes())
    data[4096 * 3 : 4096 * 3 + 2000] = b"\x17" * 2000
    file.write_bytes(data)

    code, out, err = place.run("verify", "--catalogue-only", "--json")

    assert code == 2 or "catalogue_damaged" in out, err
    assert place.run("verify", "--catalogue-only", "--repair")[0] == 2


def test_without_a_catalogue_nothing_is_created(place):
    empty = place.folder / "empty"
    empty.mkdir()
    place.settings["LOOKALIKE_DATA_DIR"] = str(empty)

    assert "there is no catalogue" in place.refused("verify", "--catalogue-only")
    assert list(empty.iterdir()) == []
