"""The commands for operators, with the index in a Milvus server and the catalogue in PostgreSQL."""

import pytest
from sqlalchemy import create_engine, text


@pytest.fixture
def over_milvus(place, milvus_server):
    """Return the filled data folder with an empty Milvus server as its index."""
    place.settings["LOOKALIKE_MILVUS_URI"] = milvus_server.uri
    return place


@pytest.fixture
def over_both(over_milvus, new_postgresql_database):
    """Return the same images in a Milvus server and a new catalogue in PostgreSQL."""
    over_milvus.settings["LOOKALIKE_CATALOGUE_URL"] = new_postgresql_database()
    over_milvus.serving("fill")
    return over_milvus


def ranked(searches):
    """Round scores to the precision that both kinds of Milvus share."""
    return {
        query: [(image, round(score, 4)) for image, score in hits]
        for query, hits in searches.items()
    }


def index_of(place, collection):
    engine = create_engine(place.settings["LOOKALIKE_CATALOGUE_URL"])
    with engine.connect() as connection:
        query = text("SELECT index_name FROM collections WHERE name = :name")
        name = connection.execute(query, {"name": collection}).scalar_one()
    engine.dispose()
    return name


def test_an_index_in_a_server_is_built_and_restored_and_compact_skips_it(over_milvus):
    built = over_milvus.serving("state")
    assert {len(state["index"]) for state in built.values()} == {0, 6, 14}
    assert over_milvus.admin("verify", "--deep")[0] == 0
    backup = over_milvus.folder / "backup"
    assert over_milvus.admin("backup", backup)[0] == 0

    code, record = over_milvus.admin("compact")

    assert code == 0
    assert "index" not in record["won"]
    restored = over_milvus.another("restored")
    restored.settings["LOOKALIKE_MILVUS_URI"] = over_milvus.settings["LOOKALIKE_MILVUS_URI"]
    assert restored.admin("restore", backup)[0] == 0
    assert restored.serving("state") == built


def test_differences_in_a_server_are_found_and_repaired(over_both, kinds):
    before = over_both.serving("state")
    name = index_of(over_both, "main")
    missing = before["main"]["ids"][:2]
    over_both.serving("tamper", "extra", name, 900_001, 900_002, 900_003)
    over_both.serving("tamper", "missing", name, *missing)
    left_over = f"{name.rsplit('_', 1)[0]}_{'0' * 12}"
    over_both.serving("tamper", "left_over", left_over)

    code, record = over_both.admin("verify")

    assert code == 1
    assert kinds(record) == {
        "index_row_missing": 2,
        "index_row_unknown": 3,
        "index_left_over": 1,
    }
    code, record = over_both.admin("verify", "--repair")
    assert (code, kinds(record)) == (0, {})
    assert over_both.serving("state") == before


def test_a_collection_moves_from_lite_and_sqlite_to_a_server_and_postgresql(
    place, milvus_server, new_postgresql_database
):
    file = place.folder / "main.parquet"
    assert place.admin("export", file, "--collection", "main")[0] == 0
    other = place.another("other")
    other.settings["LOOKALIKE_MILVUS_URI"] = milvus_server.uri
    other.settings["LOOKALIKE_CATALOGUE_URL"] = new_postgresql_database()
    other.serving("state")

    code, _ = other.admin(
        "import", file, "--collection", "main", "--uploads", place.data / "uploads"
    )

    assert code == 0
    moved = other.serving("state")["main"]
    assert len(moved["index"]) == 14
    assert ranked(moved["searches"]) == ranked(place.serving("state")["main"]["searches"])
    assert other.admin("verify", "--deep")[0] == 0
    assert other.refused("backup", other.folder / "backup").count("pg_dump") == 1
