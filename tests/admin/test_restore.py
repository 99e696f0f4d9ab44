"""`restore` of a backup into an empty or a filled data folder."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import alembic.command
import pytest
from alembic.config import Config
from sqlalchemy import text

from bento_service.catalogue import migration
from bento_service.catalogue.database import Database
from tests.admin.backups import digest_of, manifest_of, uploads_in


def test_a_restored_folder_answers_like_the_original(place, target, emptied):
    before = place.serving("state")
    place.admin("backup", target)

    code, _ = emptied.admin("restore", target)

    assert code == 0
    assert emptied.serving("state") == before
    assert emptied.admin("verify", "--deep")[0] == 0


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


def test_the_journal_of_another_killed_restore_does_not_change_the_catalogue(
    place, target, emptied
):
    before = place.serving("state")
    place.admin("backup", target)
    emptied.data.mkdir(parents=True)
    incoming = emptied.data / "catalogue.db.incoming"
    with closing(sqlite3.connect(incoming, isolation_level=None)) as other:
        other.execute("CREATE TABLE pages AS SELECT randomblob(9000) AS page")
        # Without synchronisation, the journal is complete before the transaction ends.
        other.execute("PRAGMA synchronous = OFF")
        other.execute("BEGIN")
        other.execute("UPDATE pages SET page = randomblob(9000)")
        journal = Path(f"{incoming}-journal").read_bytes()
    Path(f"{incoming}-journal").write_bytes(journal)

    assert emptied.admin("restore", target, "--force")[0] == 0

    assert emptied.serving("state") == before


@pytest.mark.parametrize("damage", ["catalogue", "missing", "changed", "manifest"])
def test_a_damaged_backup_replaces_nothing(place, target, damage):
    place.admin("backup", target)
    some = uploads_in(target)[min(uploads_in(target))]
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
