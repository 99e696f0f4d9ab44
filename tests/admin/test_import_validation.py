"""`import` of invalid files, which imports nothing."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.admin.exports import rewritten


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


def infinite_number(rows):
    rows[7]["metadata"] = '{"a": Infinity}'


def half_a_surrogate_pair(rows):
    rows[7]["metadata"] = r'{"a": "\ud800"}'


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
        infinite_number,
        half_a_surrogate_pair,
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

    message = other.refused("import", file, "--collection", "main")

    assert "cannot be imported" in message
    assert other.sql("SELECT count(*) FROM images") == [(0,)]
    assert other.sql("SELECT name FROM collections") == [("default",)]


def test_hashes_of_a_wrong_length_are_refused(place, file):
    column = pa.array([b"short"] * 14, pa.binary())
    position = pq.read_schema(file).get_field_index("hashes")
    rewritten(file, lambda table: table.set_column(position, "hashes", column))
    assert "row 0 cannot be imported" in place.refused("import", file, "--collection", "copy")


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
