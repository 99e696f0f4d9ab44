"""`export` and `import` of a collection: contents of the file, and round trips."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.admin.exports import rewritten


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


def test_an_empty_collection_survives_a_round_trip(place, tmp_path):
    path = tmp_path / "empty.parquet"
    assert place.admin("export", path)[1]["images"] == 0
    assert place.admin("import", path, "--collection", "copy")[1]["new"] == 0


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


def miniatures_of(place, collection):
    return place.sql(
        "SELECT i.sha256, m.pixels FROM images i JOIN collections c ON c.id = i.collection_id "
        "JOIN miniatures m ON m.image_id = i.id WHERE c.name = ? ORDER BY i.sha256",
        collection,
    )


def hashes_of(place, collection):
    return place.sql(
        "SELECT i.sha256, i.hashes FROM images i JOIN collections c ON c.id = i.collection_id "
        "WHERE c.name = ? ORDER BY i.sha256",
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


def test_hashes_are_exported_and_imported(place, file):
    assert place.admin("import", file, "--collection", "copy")[0] == 0
    copied = hashes_of(place, "copy")
    assert copied == hashes_of(place, "main")
    assert {len(hashes) for _, hashes in copied} <= {0, 64}


def test_a_file_without_hashes_is_imported(place, file):
    rewritten(file, lambda table: table.drop_columns(["hashes", "miniature"]))
    assert place.admin("import", file, "--collection", "copy")[0] == 0
    assert {hashes for _, hashes in hashes_of(place, "copy")} == {None}
