"""`export` and `import`, over a data folder of the real application."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def file(place):
    """Return the exported collection `main`."""
    path = place.folder / "main.parquet"
    assert place.admin("export", path, "--collection", "main")[0] == 0
    return path


@pytest.fixture
def other(place):
    """Return a data folder with an empty catalogue of the same descriptors."""
    other = place.another("other")
    other.serving("state")
    return other


def rewritten(file, change):
    """Replace the table of a file by `change` of it."""
    table = change(pq.read_table(file))
    pq.write_table(table, file)


def test_a_file_holds_what_the_catalogue_holds(place, file):
    table = pq.read_table(file)
    rows = table.to_pylist()
    stored = place.sql(
        "SELECT i.id, i.sha256, i.width, i.height, i.bytes, d.descriptor FROM images i "
        "JOIN collections c ON c.id = i.collection_id JOIN descriptors d ON d.image_id = i.id "
        "WHERE c.name = 'main' ORDER BY i.id"
    )

    assert len(rows) == 14
    for row, (image_id, sha256, width, height, size, descriptor) in zip(rows, stored, strict=True):
        assert (row["id"], row["sha256"]) == (image_id, sha256)
        assert (row["width"], row["height"], row["bytes"]) == (width, height, size)
        assert np.array(row["descriptor"], "<f4").tobytes() == descriptor
        assert json.loads(row["metadata"]) in ({}, {"season": "spring"})
        assert row["created_at"].tzinfo is not None
    sources = [row["sources"] for row in rows]
    assert sum(each == [{"kind": "file", "root": "pictures", "path": b"3.png"}] for each in sources)
    assert table.schema.field("descriptor").type == pa.list_(pa.float32(), 512)


def test_a_file_names_its_descriptors(place, file):
    ((fingerprint, precision),) = place.sql(
        "SELECT i.fingerprint, i.precision FROM indexes i "
        "JOIN collections c ON c.index_name = i.name WHERE c.name = 'main'"
    )
    description = json.loads(pq.read_schema(file).metadata[b"lookalike"])

    assert description["collection"] == "main"
    assert description["space"]["fingerprint"] == fingerprint
    assert description["space"]["precision"] == precision == "fp32"


def test_searches_return_the_same_after_a_round_trip(place, file):
    before = place.serving("state")["main"]

    code, record = place.admin("import", file, "--collection", "copy")

    assert (code, record) == (0, {"new": 14, "known": 0, "left_out": 0})
    after = place.serving("state")["copy"]
    assert after["searches"] == before["searches"]
    assert after["metadata"] == before["metadata"]
    assert after["readable"] == before["readable"] == 14
    assert after["index"] == after["ids"]


def test_filters_see_imported_images(place, file):
    place.admin("import", file, "--collection", "copy")

    seen = place.sql(
        "SELECT c.name, a.place, a.kind, a.text, count(*) FROM attributes a "
        "JOIN images i ON i.id = a.image_id AND i.collection_id = a.collection_id "
        "JOIN collections c ON c.id = i.collection_id GROUP BY 1, 2, 3, 4 ORDER BY 1"
    )
    assert seen == [
        ("copy", '["season"]', "string", "spring", 8),
        ("main", '["season"]', "string", "spring", 8),
    ]


def test_importing_again_adds_nothing(place, file):
    place.admin("import", file, "--collection", "copy")

    code, record = place.admin("import", file, "--collection", "copy")

    assert (code, record) == (0, {"new": 0, "known": 14, "left_out": 0})
    assert place.admin("verify")[0] == 0


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


def test_descriptors_of_another_version_are_refused(other, file):
    def change(table):
        description = json.loads(table.schema.metadata[b"lookalike"])
        description["space"]["fingerprint"] = "e" * 64
        return table.replace_schema_metadata({b"lookalike": json.dumps(description)})

    rewritten(file, change)

    message = other.refused("import", file, "--collection", "main")
    assert "eeeeeeeeeeee" in message
    assert other.sql("SELECT count(*) FROM images") == [(0,)]


def nan_in_one(rows):
    rows[5]["descriptor"][0] = float("nan")


def another_length(rows):
    rows[13]["descriptor"] = [2 * value for value in rows[13]["descriptor"]]


def not_a_digest(rows):
    rows[7]["sha256"] = "../../../etc/passwd"


def nothing_at_all(rows):
    rows[7]["sha256"] = None


def no_object(rows):
    rows[7]["metadata"] = "[1, 2]"


def unknown_kind(rows):
    rows[7]["sources"][0]["kind"] = "dream"


def too_many_values(rows):
    rows[7]["metadata"] = json.dumps({str(n): n for n in range(1001)})


def no_pixels(rows):
    rows[7]["width"] = 0


@pytest.mark.parametrize(
    "damage",
    [
        nan_in_one,
        another_length,
        not_a_digest,
        nothing_at_all,
        no_object,
        unknown_kind,
        no_pixels,
        too_many_values,
    ],
)
def test_a_file_with_one_bad_row_imports_nothing(other, file, damage):
    def change(table):
        rows = table.to_pylist()
        damage(rows)
        return pa.Table.from_pylist(rows, schema=table.schema)

    rewritten(file, change)

    other.refused("import", file, "--collection", "main")

    assert other.sql("SELECT count(*) FROM images") == [(0,)]
    assert other.sql("SELECT name FROM collections") == [("default",)]


def test_files_that_export_did_not_write_are_refused(other, file, tmp_path):
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"id": [1]}), foreign)
    text = tmp_path / "text.parquet"
    text.write_text("id,sha256")
    rewritten(file, lambda table: table.drop_columns(["width"]))

    for bad in (foreign, text, file, tmp_path / "nothing.parquet"):
        other.refused("import", bad, "--collection", "main")


def test_a_name_that_no_collection_can_have_is_refused(other, file):
    assert "cannot be a name" in other.refused("import", file, "--collection", "../x")


def test_an_export_replaces_a_file_only_with_force(place, file):
    before = file.read_bytes()
    assert "--force" in place.refused("export", file, "--collection", "main")
    assert file.read_bytes() == before
    assert place.admin("export", file, "--collection", "sent", "--force")[1]["images"] == 6
    assert pq.read_table(file).num_rows == 6
    assert [path.name for path in file.parent.glob("main.parquet*")] == ["main.parquet"]


def test_a_dry_run_of_either_writes_nothing(place, file):
    dry = place.folder / "dry.parquet"
    assert place.admin("export", dry, "--collection", "main", "--dry-run")[1]["images"] == 14
    assert not dry.exists()
    record = place.admin("import", file, "--collection", "copy", "--dry-run")[1]
    assert record["new"] == 14
    assert place.sql("SELECT count(*) FROM collections WHERE name = 'copy'") == [(0,)]


def test_a_missing_collection_is_refused(place, tmp_path):
    assert "does not exist" in place.refused("export", tmp_path / "x.parquet", "--collection", "no")


def test_an_empty_collection_survives_a_round_trip(place, tmp_path):
    path = tmp_path / "empty.parquet"
    assert place.admin("export", path)[1]["images"] == 0
    assert place.admin("import", path, "--collection", "copy")[1]["new"] == 0


def miniatures_of(place, collection):
    return place.sql(
        "SELECT i.sha256, m.pixels FROM images i JOIN collections c ON c.id = i.collection_id "
        "JOIN miniatures m ON m.image_id = i.id WHERE c.name = ? ORDER BY i.sha256",
        collection,
    )


def test_miniatures_are_exported_and_imported(place, file):
    assert place.admin("import", file, "--collection", "copy")[0] == 0
    copied = miniatures_of(place, "copy")
    assert len(copied) == 14
    assert copied == miniatures_of(place, "main")


def test_a_file_without_miniatures_is_imported(place, file):
    rewritten(file, lambda table: table.drop_columns(["miniature"]))
    assert place.admin("import", file, "--collection", "copy")[0] == 0
    assert miniatures_of(place, "copy") == []
    assert len(hashes_of(place, "copy")) == 14


def hashes_of(place, collection):
    return place.sql(
        "SELECT i.sha256, i.hashes FROM images i JOIN collections c ON c.id = i.collection_id "
        "WHERE c.name = ? ORDER BY i.sha256",
        collection,
    )


def test_hashes_are_exported_and_imported(place, file):
    assert place.admin("import", file, "--collection", "copy")[0] == 0
    copied = hashes_of(place, "copy")
    assert copied == hashes_of(place, "main")
    assert {len(hashes) for _, hashes in copied} <= {0, 64}


def test_a_file_without_hashes_is_imported(place, file):
    rewritten(file, lambda table: table.drop_columns(["hashes", "miniature"]))
    assert place.admin("import", file, "--collection", "copy")[0] == 0
    assert {hashes for _, hashes in hashes_of(place, "copy")} == {None}


def test_hashes_of_a_wrong_length_are_refused(place, file):
    column = pa.array([b"short"] * 14, pa.binary())
    position = pq.read_schema(file).get_field_index("hashes")
    rewritten(file, lambda table: table.set_column(position, "hashes", column))
    assert "row 0 cannot be imported" in place.refused("import", file, "--collection", "copy")
