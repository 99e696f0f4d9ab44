"""`backup` of a data folder of the real application."""

import json
import shutil
from time import monotonic

from tests.admin.backups import assert_whole, digest_of, manifest_of, uploads_in


def test_a_backup_holds_the_catalogue_and_every_upload(place, target):
    code, record = place.admin("backup", target)

    assert code == 0
    assert record["copied"] == record["uploads"]["count"] == 9
    assert assert_whole(target) == 9
    assert uploads_in(target).keys() == place.uploads().keys()


def test_a_second_backup_copies_only_what_is_new(place, target):
    place.admin("backup", target)
    times = {name: path.stat().st_mtime_ns for name, path in uploads_in(target).items()}
    first = manifest_of(target)["catalogue"]["file"]
    place.sql("UPDATE images SET metadata = ? WHERE id = 1", '{"a": 1}')

    code, record = place.admin("backup", target)

    assert (code, record["copied"]) == (0, 0)
    assert {name: path.stat().st_mtime_ns for name, path in uploads_in(target).items()} == times
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

    assert assert_whole(target) == len(uploads_in(target)) == 6


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
    assert uploads_in(target).keys() == place.uploads().keys() - {damaged}


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
