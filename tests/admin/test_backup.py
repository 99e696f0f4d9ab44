"""`backup` and `restore`, over a data folder of the real application."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from time import monotonic

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import text

from bento_service.catalogue import migration
from bento_service.catalogue.database import Database


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest_of(backup):
    return json.loads((backup / "manifest.json").read_text())


def copies(backup):
    return {path.name: path for path in (backup / "uploads").glob("??/*")}


def assert_whole(backup):
    """Check that manifest, catalogue and needed uploads agree."""
    manifest = manifest_of(backup)
    catalogue = backup / manifest["catalogue"]["file"]
    assert digest_of(catalogue) == manifest["catalogue"]["sha256"]
    assert manifest["lost"] == []
    with closing(sqlite3.connect(f"file:{catalogue}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        needed = connection.execute(
            "SELECT DISTINCT s.sha256 FROM sources s JOIN images i ON i.id = s.image_id "
            "WHERE s.kind = 'upload' AND NOT i.deleted"
        ).fetchall()
    files = copies(backup)
    for (digest,) in needed:
        assert digest_of(files[digest]) == digest
    return len(needed)


@pytest.fixture
def target(place):
    return place.folder / "backup"


@pytest.fixture
def emptied(place):
    """Return an empty data folder with the same image root."""
    return place.another("restored")


def test_a_backup_holds_the_catalogue_and_every_upload(place, target):
    code, record = place.admin("backup", target)

    assert code == 0
    assert record["copied"] == record["uploads"]["count"] == 9
    assert assert_whole(target) == 9
    assert copies(target).keys() == place.uploads().keys()


def test_a_restored_folder_answers_like_the_original(place, target, emptied):
    before = place.serving("state")
    place.admin("backup", target)

    code, _ = emptied.admin("restore", target)

    assert code == 0
    assert emptied.serving("state") == before
    assert emptied.admin("verify", "--deep")[0] == 0


def test_a_second_backup_copies_only_what_is_new(place, target):
    place.admin("backup", target)
    times = {name: path.stat().st_mtime_ns for name, path in copies(target).items()}
    first = manifest_of(target)["catalogue"]["file"]
    place.sql("UPDATE images SET metadata = ? WHERE id = 1", '{"a": 1}')

    code, record = place.admin("backup", target)

    assert (code, record["copied"]) == (0, 0)
    assert {name: path.stat().st_mtime_ns for name, path in copies(target).items()} == times
    assert not (target / first).exists()
    assert_whole(target)


def test_files_that_only_earlier_backups_needed_are_removed(place, target):
    place.admin("backup", target)
    place.sql(
        "DELETE FROM sources WHERE image_id IN (SELECT id FROM images WHERE collection_id = 3)"
    )
    for table in ("descriptors", "attributes", "miniatures"):
        place.sql(
            f"DELETE FROM {table} WHERE image_id IN "  # noqa: S608
            "(SELECT id FROM images WHERE collection_id = 3)"
        )
    place.sql("UPDATE jobs SET collection_id = NULL WHERE collection_id = 3")
    place.sql("DELETE FROM indexes WHERE collection_id = 3")
    place.sql("DELETE FROM images WHERE collection_id = 3")
    place.sql("DELETE FROM collections WHERE id = 3 AND name = 'sent'")

    place.admin("backup", target)

    assert assert_whole(target) == len(copies(target)) == 6


def test_a_dry_run_counts_and_writes_nothing(place, target):
    code, record = place.admin("backup", target, "--dry-run")

    assert (code, record["would_copy"]) == (0, 9)
    assert record["upload_bytes"] == sum(p.stat().st_size for p in place.uploads().values())
    assert not target.exists()


def test_a_backup_while_a_service_writes_is_consistent(place, target):
    """Every image of the backup has its upload while the service adds and deletes."""
    with place.start_serving("busy") as writer:
        rounds = [int(writer.stdout.readline())]
        for _ in range(6):
            code, _ = place.admin("backup", target)
            assert code == 0
            assert assert_whole(target) > 0
            rounds.append(int(writer.stdout.readline()))
    assert rounds == sorted(set(rounds))  # it wrote during each of them


def test_a_killed_backup_does_not_count_as_complete(place, target, emptied, tmp_path):
    """The backup is killed at many moments; it is complete only with a manifest."""
    began = monotonic()
    place.admin("backup", tmp_path / "measured")
    step = (monotonic() - began) / 15
    finished = unfinished = 0
    pause = 0.0
    while not finished or unfinished < 3:
        place.killed_admin(pause, "backup", target)
        pause += step
        if (target / "manifest.json").exists():
            finished += 1
            assert_whole(target)
            shutil.rmtree(target)
            pause, step = 0.0, step / 2
        else:
            unfinished += 1
            assert "manifest.json" in emptied.refused("restore", target)
            assert not emptied.data.exists()
    assert place.admin("backup", target)[0] == 0
    assert_whole(target)


def test_a_killed_second_backup_leaves_the_first_complete(place, target):
    place.admin("backup", target)
    for step in range(6):
        place.sql("UPDATE images SET metadata = ? WHERE id = 1", json.dumps({"step": step}))
        place.killed_admin(0.02 * (step + 1), "backup", target)
        assert assert_whole(target) == 9


def test_an_upload_that_the_service_has_lost_is_reported(place, target):
    gone, damaged = sorted(place.uploads())[:2]
    place.uploads()[gone].unlink()
    place.uploads()[damaged].write_bytes(b"something else")

    code, record = place.admin("backup", target)

    assert code == 1
    assert record["lost"] == [gone, damaged]
    assert copies(target).keys() == place.uploads().keys() - {damaged}


def test_a_good_copy_in_the_backup_survives_damage_in_the_service(place, target, emptied):
    place.admin("backup", target)
    damaged = sorted(place.uploads())[0]
    place.uploads()[damaged].write_bytes(b"something else")

    assert place.admin("backup", target)[0] == 0
    assert place.admin("restore", target, "--force")[0] == 0
    assert digest_of(place.uploads()[damaged]) == damaged


def test_a_folder_with_other_contents_is_refused_as_target(place, target):
    target.mkdir()
    (target / "holiday.jpg").write_bytes(b"mine")

    assert "other contents" in place.refused("backup", target)
    assert [path.name for path in target.iterdir()] == ["holiday.jpg"]


def test_a_target_in_the_data_folder_is_refused(place):
    assert "outside of it" in place.refused("backup", place.data / "backup")


def test_a_target_with_another_catalogues_backup_is_refused(place, target):
    place.admin("backup", target)
    place.sql("UPDATE instance SET id = ?", "0" * 32)

    assert "another catalogue" in place.refused("backup", target)


def test_a_catalogue_in_postgresql_is_left_to_its_own_tools(place, target):
    place.settings["LOOKALIKE_CATALOGUE_URL"] = "postgresql+psycopg://somebody@127.0.0.1/name"

    assert "pg_dump" in place.refused("backup", target)
    assert "pg_restore" in place.refused("restore", target)


def test_a_catalogue_of_another_release_is_refused(place, target):
    place.sql("UPDATE alembic_version SET version_num = '9999'")

    assert "revision 9999" in place.refused("backup", target)


# Restoring


def test_a_data_folder_with_contents_is_replaced_only_with_force(place, target):
    place.admin("backup", target)
    before = place.serving("state")
    place.sql("DELETE FROM sources")
    place.sql("DELETE FROM images")

    assert "--force" in place.refused("restore", target)
    assert place.sql("SELECT count(*) FROM images") == [(0,)]
    assert place.admin("restore", target, "--force")[0] == 0
    assert place.serving("state") == before


def test_a_restore_removes_changes_after_the_backup(place, target, serving):
    place.admin("backup", target)
    before = place.serving("state")
    (place.pictures / "later.png").write_bytes(serving.picture(900))
    place.serving("fill")
    assert len(place.serving("state")["main"]["ids"]) == 15

    place.admin("restore", target, "--force")

    assert place.serving("state") == before
    assert place.admin("verify")[0] == 0


def test_a_killed_restore_can_be_repeated(place, target, emptied):
    before = place.serving("state")
    place.admin("backup", target)
    for step in range(8):
        emptied.killed_admin(0.02 * (step + 1), "restore", target, "--force")

    assert emptied.admin("restore", target, "--force")[0] == 0
    assert emptied.serving("state") == before


@pytest.mark.parametrize("damage", ["catalogue", "missing", "changed", "manifest"])
def test_a_damaged_backup_replaces_nothing(place, target, damage):
    place.admin("backup", target)
    some = copies(target)[min(copies(target))]
    if damage == "catalogue":
        file = target / manifest_of(target)["catalogue"]["file"]
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "missing":
        some.unlink()
    elif damage == "changed":
        some.write_bytes(b"something else")
        place.uploads()[some.name].unlink()  # or the copy would not be needed
    else:
        (target / "manifest.json").write_text("{")
    before = digest_of(place.data / "catalogue.db")

    place.refused("restore", target, "--force")

    assert digest_of(place.data / "catalogue.db") == before
    assert len(place.serving("state")["main"]["ids"]) == 14


def test_a_backup_of_a_newer_release_is_refused(place, target, emptied):
    place.admin("backup", target)
    manifest = manifest_of(target)
    manifest["catalogue"]["revision"] = "9999"
    (target / "manifest.json").write_text(json.dumps(manifest))

    assert "newer release" in emptied.refused("restore", target)


def first_release(file):
    """Create a catalogue with the tables of the first revision and one collection."""
    config = Config()
    folder = Path(migration.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with Database(f"sqlite:///{file}") as database, database.writing() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0001")
        connection.execute(
            text(
                "INSERT INTO collections (id, name, descriptor, model, fingerprint, dimension, "
                "index_name, revision, applied, created_at) "
                "VALUES (3, 'cats', 'mac', 'm:1', 'ff', 2, 'i3', 9, 7, '2026-01-02 03:04:05')"
            )
        )


def test_a_backup_of_an_older_release_is_migrated(target, emptied):
    emptied.serving("state")
    emptied.admin("backup", target)
    manifest = manifest_of(target)
    file = target / manifest["catalogue"]["file"]
    file.unlink()
    first_release(file)
    changed = {"bytes": file.stat().st_size, "sha256": digest_of(file), "revision": "0001"}
    manifest["catalogue"] |= changed
    (target / "manifest.json").write_text(json.dumps(manifest))

    assert emptied.admin("restore", target, "--force")[0] == 0

    indexes = emptied.sql("SELECT name, collection_id, fingerprint, applied FROM indexes")
    assert indexes == [("i3", 3, "ff", 0)]


def test_a_dry_restore_changes_nothing(place, target, emptied):
    place.admin("backup", target)

    assert emptied.admin("restore", target, "--dry-run")[0] == 0
    assert not emptied.data.exists()


def test_a_data_folder_with_only_the_model_store_counts_as_empty(place, target, emptied):
    place.admin("backup", target)
    (emptied.data / "bentoml").mkdir(parents=True)

    assert emptied.admin("restore", target)[0] == 0
    assert (emptied.data / "bentoml").is_dir()
