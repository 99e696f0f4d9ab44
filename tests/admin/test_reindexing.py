"""The operator's commands on a collection that is being reindexed and has two indexes."""

import pytest


@pytest.fixture
def reindexing(place):
    """Return a place whose reindex of `main` is stopped by an unreadable image."""
    hidden = place.pictures / "3.png"
    hidden.rename(place.folder / "3.png")
    assert place.serving("reindex") == 1
    (place.folder / "3.png").rename(hidden)
    assert len(place.indexes()) == 2
    return place


def test_a_collection_that_is_being_reindexed_is_clean(reindexing, kinds):
    code, record = reindexing.admin("verify", "--deep")

    assert (code, kinds(record)) == (0, {})
    assert record["checked"]["indexes"] == 4
    assert record["checked"]["index rows"] == 20 + 13


def test_the_index_of_a_reindex_is_repaired_too(reindexing, kinds):
    serving, second = reindexing.indexes()
    rows = reindexing.sql(
        "SELECT image_id FROM sources WHERE path IN (CAST('1.png' AS BLOB), CAST('5.png' AS BLOB)) "
        "ORDER BY image_id"
    )
    gone = [row[0] for row in rows]
    reindexing.serving("tamper", "missing", second, *gone)

    code, record = reindexing.admin("verify")
    assert (code, kinds(record)) == (1, {"index_row_missing": 2})
    assert record["findings"][0]["examples"] == [
        f"image {image_id} of main in vgg16-rmac4" for image_id in gone
    ]

    code, record = reindexing.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    assert reindexing.indexes() == [serving, second]


def test_a_repair_finishes_a_reindex_with_nothing_left_to_describe(reindexing, kinds):
    indexes = reindexing.indexes()
    reindexing.sql("UPDATE jobs SET state = 'in_progress' WHERE kind = 'reindex'")
    reindexing.sql("UPDATE indexes SET drop_missing = 1 WHERE NOT ready")

    code, record = reindexing.admin("verify", "--repair")

    assert (code, kinds(record)) == (0, {})
    assert reindexing.indexes() == indexes[::-1]
    assert reindexing.sql("SELECT state FROM jobs WHERE kind = 'reindex'") == [("completed",)]
    state = reindexing.serving("state")["main"]
    assert state["index"] == state["ids"]
    assert len(state["ids"]) == 13


def test_a_reindex_survives_compact_backup_and_restore(reindexing, kinds):
    indexes, before = reindexing.indexes(), reindexing.serving("state")

    assert reindexing.admin("compact")[0] == 0
    _, record = reindexing.admin("verify", "--deep")
    assert (kinds(record), record["checked"]["index rows"]) == ({}, 33)
    assert reindexing.admin("backup", reindexing.folder / "backup")[0] == 0
    assert reindexing.admin("restore", reindexing.folder / "backup", "--force")[0] == 0

    assert reindexing.sql("SELECT DISTINCT applied FROM indexes") == [(0,)]
    assert reindexing.serving("state") == before
    assert reindexing.indexes() == indexes
    assert reindexing.serving("reindex") == 0  # nothing is missing any more
    assert reindexing.indexes() == indexes[::-1]
    assert reindexing.admin("verify", "--deep")[0] == 0


def test_an_import_into_a_collection_that_is_being_reindexed_is_refused(reindexing):
    file = reindexing.folder / "main.parquet"
    assert reindexing.admin("export", file, "--collection", "main")[1]["images"] == 14

    assert "is being reindexed" in reindexing.refused("import", file, "--collection", "main")
