import sqlite3
import threading
from contextlib import ExitStack, suppress

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert, select
from sqlalchemy.exc import IntegrityError

from bento_service.catalogue import Catalogue
from bento_service.catalogue.columns import metadata
from bento_service.catalogue.tables import instance, sources
from bento_service.errors import CatalogueUnavailable, StorageFull
from tests.support.waiting import run_threads


@pytest.fixture
def url(tmp_path):
    """These tests are about SQLite; the other files' run on PostgreSQL too."""
    return f"sqlite:///{tmp_path}/data/catalogue.db"


def definitions(path):
    """Return SQLite's definition of each table and index as a set of parts, in any order."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        parts = {name: sorted(parted(text)) for name, text in found}
    connection.close()
    return {name: text for name, text in parts.items() if name != "alembic_version"}


def parted(statement):
    """Split a definition at the commas of its outermost parentheses."""
    depth, parts = 0, [""]
    for letter in " ".join(statement.split()):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if (letter == "," and depth == 1) or (letter in "()" and depth == (letter == "(")):
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def pragma(connection, name):
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def left_to_migrate(catalogue):
    with catalogue.database.reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, metadata)


def test_the_migrations_leave_nothing_to_migrate(catalogue):
    assert left_to_migrate(catalogue) == []


def test_the_migrations_leave_nothing_to_migrate_in_postgresql(postgresql):
    with Catalogue.open(postgresql) as catalogue:
        assert left_to_migrate(catalogue) == []


def test_the_migrations_build_exactly_the_tables(catalogue, tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/expected.db")
    metadata.create_all(engine)
    engine.dispose()
    expected = definitions(tmp_path / "expected.db")
    assert len(expected) > 10
    assert definitions(tmp_path / "data/catalogue.db") == expected


def test_opening_again_changes_nothing(url, tmp_path, space):
    with Catalogue.open(url) as first:
        first.collections.create("cats", space)
    before = definitions(tmp_path / "data/catalogue.db")
    with Catalogue.open(url) as second:
        assert [collection.name for collection in second.collections.all()] == ["cats"]
    assert definitions(tmp_path / "data/catalogue.db") == before


def test_an_empty_catalogue_can_be_opened_concurrently(url):
    failures = []

    def start():
        try:
            with Catalogue.open(url) as catalogue:
                assert catalogue.collections.all() == []
        except Exception as error:  # noqa: BLE001 - reported to the thread of the test
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    run_threads(*threads)
    assert failures == []


def test_every_connection_is_durable_and_checks_foreign_keys(catalogue):
    with ExitStack() as stack:
        connections = [stack.enter_context(catalogue.database.reading()) for _ in range(3)]
        for connection in connections:
            assert pragma(connection, "journal_mode") == "wal"
            assert pragma(connection, "synchronous") == 2  # FULL
            assert pragma(connection, "foreign_keys") == 1
            assert pragma(connection, "busy_timeout") >= 10_000


def test_a_source_without_its_image_is_refused(catalogue):
    values = {"image_id": 7, "kind": "file", "root": "r", "path": "a", "sha256": "0" * 64}
    with pytest.raises(IntegrityError), catalogue.database.writing() as connection:
        connection.execute(insert(sources).values(values))


def test_a_block_that_raises_writes_nothing(catalogue):
    with suppress(RuntimeError), catalogue.database.writing() as connection:
        connection.execute(insert(instance).values(id="a"))
        raise RuntimeError
    with catalogue.database.reading() as connection:
        assert connection.execute(select(instance)).all() == []


def test_reading_sees_one_state_while_others_write(catalogue):
    with catalogue.database.reading() as reading:
        assert reading.execute(select(instance)).all() == []
        with catalogue.database.writing() as writing:
            writing.execute(insert(instance).values(id="a"))
        assert reading.execute(select(instance)).all() == []
    with catalogue.database.reading() as reading:
        assert reading.execute(select(instance)).all() == [("a",)]


def test_writers_wait_for_each_other_without_errors(url):
    """Two pools of connections, as two processes would have."""
    failures = []

    def write(catalogue):
        try:
            for _ in range(15):
                with catalogue.database.writing() as connection:
                    count = len(connection.execute(select(instance)).all())
                    connection.execute(insert(instance).values(id=f"{count}"))
        except Exception as error:  # noqa: BLE001 - reported to the thread of the test
            failures.append(error)

    with Catalogue.open(url) as one, Catalogue.open(url) as two:
        threads = [
            threading.Thread(target=write, args=(catalogue,)) for catalogue in (one, two, one, two)
        ]
        run_threads(*threads)
        with one.database.reading() as connection:
            counted = {row.id for row in connection.execute(select(instance))}
    assert failures == []
    assert counted == {str(number) for number in range(60)}


def fill(catalogue, space):
    for number in range(1000):
        catalogue.collections.create(f"c{number}", space)


def test_a_full_disk_is_an_error_and_changes_nothing(small_disk, space):
    with Catalogue.open(f"sqlite:///{small_disk}/catalogue.db") as catalogue:
        before = catalogue.collections.create("cats", space)
        with suppress(OSError):
            (small_disk / "filler").write_bytes(bytes(2**20))
        with pytest.raises(StorageFull, match="free room"):
            fill(catalogue, space)
        committed = len(catalogue.collections.all())
        assert catalogue.collections.named("cats") == before
        (small_disk / "filler").unlink()
        assert len(catalogue.collections.all()) == committed
        catalogue.collections.create("after", space)


def test_a_database_that_does_not_answer_is_catalogue_unavailable(free_port):
    with pytest.raises(CatalogueUnavailable, match="try again") as caught:
        Catalogue.open(f"postgresql+psycopg://somebody@127.0.0.1:{free_port}/lookalike")
    assert (caught.value.status, caught.value.code) == (503, "not_ready")


def test_a_damaged_database_is_catalogue_unavailable(catalogue, tmp_path, space):
    file = tmp_path / "data/catalogue.db"
    catalogue.collections.create("cats", space)
    catalogue.database.__exit__()
    file.with_name("catalogue.db-wal").unlink(missing_ok=True)
    file.write_bytes(b"no database" * 1000)
    for act in (catalogue.collections.all, lambda: catalogue.collections.create("dogs", space)):
        with pytest.raises(CatalogueUnavailable):
            act()


def test_a_wrong_statement_is_not_reported_as_catalogue_unavailable(catalogue):
    with pytest.raises(IntegrityError):
        catalogue.database.write(insert(instance).values(id=None))
