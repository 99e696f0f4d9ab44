"""`import` of folders with shards: continued, merged, into new catalogues and PostgreSQL."""

import json
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bento_service.admin import importing
from bento_service.admin.manifests import Shard, ShardsManifest
from bento_service.catalogue import Catalogue


@pytest.fixture
def table(place):
    """Return the exported images of `main`, of which eight are files."""
    path = place.folder / "main.parquet"
    assert place.admin("export", path, "--collection", "main")[0] == 0
    return pq.read_table(path)


@pytest.fixture
def folder_of(tmp_path):
    """Write tables as the shards of a folder."""

    def write(*tables):
        folder = tmp_path / f"shards-{uuid4().hex[:8]}"
        folder.mkdir()
        shards = []
        for number, table in enumerate(tables):
            name = f"shard-{number:06d}.parquet"
            pq.write_table(table, folder / name)
            shards.append(Shard(file=name, rows=table.num_rows))
        description = json.loads(tables[0].schema.metadata[b"lookalike"])
        fingerprint = description["space"]["fingerprint"]
        ShardsManifest(fingerprint=fingerprint, shards=shards).write(folder)
        return folder

    return write


def images_of(place, collection):
    return place.sql(
        "SELECT i.sha256, group_concat(s.path) FROM images i "
        "JOIN collections c ON c.id = i.collection_id JOIN sources s ON s.image_id = i.id "
        "WHERE c.name = ? AND NOT i.deleted GROUP BY i.id ORDER BY i.sha256",
        collection,
    )


def test_the_shards_of_a_folder_give_the_same_searches(place, table, folder_of):
    before = place.serving("state")["main"]
    folder = folder_of(table.slice(0, 5), table.slice(5, 5), table.slice(10))

    code, record = place.admin("import", folder, "--collection", "copy")

    assert (code, record) == (0, {"new": 14, "known": 0, "left_out": 0})
    assert place.serving("state")["copy"]["searches"] == before["searches"]


def test_an_interrupted_import_continues_without_doubles(place, table, folder_of, monkeypatch):
    monkeypatch.setattr("bento_service.admin.rows.ROWS_A_BATCH", 2)
    folder = folder_of(table.slice(0, 7), table.slice(7))
    load, calls = importing.load_images, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 6:  # in the middle of the second shard
            raise OSError("no power")
        return load(*arguments)

    monkeypatch.setattr(importing, "load_images", failing)
    place.refused("import", folder, "--collection", "copy")
    assert 7 < len(images_of(place, "copy")) < 14

    code, out, _ = place.run("import", folder, "--collection", "copy")

    assert code == 0
    assert "1 of 2 shards were imported earlier" in out
    assert images_of(place, "copy") == images_of(place, "main")


def test_images_that_were_deleted_since_are_imported_again(place, table, folder_of):
    folder = folder_of(table)
    place.admin("import", folder, "--collection", "copy")
    place.sql(
        "UPDATE images SET deleted = 1 WHERE id = (SELECT max(i.id) FROM images i "
        "JOIN collections c ON c.id = i.collection_id WHERE c.name = 'copy')"
    )

    record = place.admin("import", folder, "--collection", "copy")[1]

    assert record == {"new": 1, "known": 13, "left_out": 0}


def test_rows_with_the_same_digest_become_one_image_with_all_sources(place, table, folder_of):
    rows = table.to_pylist()
    number, row = next((n, r) for n, r in enumerate(rows) if r["sources"][0]["kind"] == "file")
    copy = row["sources"][0]["path"] + b".copy"
    (place.pictures / copy.decode()).write_bytes(
        (place.pictures / row["sources"][0]["path"].decode()).read_bytes()
    )
    repeated = {**row, "sources": [{**row["sources"][0], "path": copy}]}
    again = pa.Table.from_pylist([repeated, rows[number - 1]], schema=table.schema)
    folder = folder_of(pa.concat_tables([table, again]), again)

    code, record = place.admin("import", folder, "--collection", "copy")

    assert (code, record) == (0, {"new": 14, "known": 4, "left_out": 0})
    paths = dict(images_of(place, "copy"))[row["sha256"]].split(",")
    assert copy.decode() in paths
    assert len(paths) == len(set(paths)) == 2


def test_a_bad_row_refuses_its_shard_and_keeps_those_before(place, table, folder_of):
    rows = table.slice(5).to_pylist()
    rows[8]["width"] = 0
    bad = pa.Table.from_pylist(rows, schema=table.schema)
    folder = folder_of(table.slice(0, 5), bad)

    assert "row 8" in place.refused("import", folder, "--collection", "copy")

    assert len(images_of(place, "copy")) == 5


def test_a_folder_that_is_not_complete_is_refused(place, table, folder_of):
    folder = folder_of(table.slice(0, 5), table.slice(5))
    pq.write_table(table.slice(5, 1), folder / "shard-000001.parquet")
    assert "the manifest" in place.refused("import", folder, "--collection", "copy")

    (folder / "shard-000001.parquet").unlink()
    place.refused("import", folder, "--collection", "copy")

    (folder / "manifest.json").unlink()
    assert "manifest.json" in place.refused("import", folder, "--collection", "copy")
    assert place.sql("SELECT count(*) FROM collections WHERE name = 'copy'") == [(0,)]


def test_a_manifest_cannot_name_files_elsewhere(place, table, folder_of):
    folder = folder_of(table)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["shards"][0]["file"] = "../main.parquet"
    (folder / "manifest.json").write_text(json.dumps(manifest))

    assert "is invalid" in place.refused("import", folder, "--collection", "copy")


def test_the_catalogue_is_made_if_there_is_none(place, table, folder_of):
    before = place.serving("state")["main"]
    new = place.another("new")

    code, record = new.admin("import", folder_of(table), "--collection", "main", "--without-bytes")

    assert (code, record["new"]) == (0, 14)
    assert new.serving("state")["main"]["searches"] == before["searches"]


def test_a_dry_run_makes_no_catalogue(place, table, folder_of):
    new = place.another("new")
    new.refused("import", folder_of(table), "--collection", "main", "--dry-run")
    assert not new.data.exists()


def test_by_size_files_are_not_read(place, table, folder_of):
    other = place.another("other")
    changed = place.pictures / "3.png"
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)

    record = other.admin("import", folder_of(table), "--collection", "main", "--by-size")[1]

    assert record == {"new": 8, "known": 0, "left_out": 6}


def test_sqlite_is_refused_while_a_service_runs(place, table, folder_of):
    with place.start_serving("hold") as service:
        assert service.stdout.readline() == "ready\n"
        message = place.refused("import", folder_of(table), "--collection", "copy")
        service.stdin.close()
        service.wait(60)
    assert "stop the service" in message


def test_postgresql_is_filled_while_a_service_runs(
    place, table, folder_of, new_postgresql_database
):
    url = new_postgresql_database()
    other = place.another("other")
    other.settings["LOOKALIKE_CATALOGUE_URL"] = url
    with other.start_serving("hold") as service:
        assert service.stdout.readline() == "ready\n"
        code, record = other.admin("import", folder_of(table), "--collection", "copy")
        again = other.admin("import", folder_of(table), "--collection", "copy")[1]
        service.stdin.close()
        service.wait(60)

    assert (code, record) == (1, {"new": 8, "known": 0, "left_out": 6})
    assert again == {"new": 0, "known": 8, "left_out": 6}
    with Catalogue.open(url) as catalogue:
        collection = catalogue.collections.named("copy")
        assert catalogue.images.count(collection.id) == 8
        assert len(set(catalogue.images.ids(collection.id, after=0, limit=100))) == 8
    state = other.serving("state")["copy"]
    assert state["index"] == state["ids"]
    assert state["readable"] == 8
