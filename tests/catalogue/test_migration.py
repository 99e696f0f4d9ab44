"""Bringing the tables to the newest revision, and doing nothing where they are there."""

import subprocess
import sys
from pathlib import Path

import alembic.command
import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Index, PrimaryKeyConstraint, UniqueConstraint, create_engine, text

from bento_service.catalogue import Catalogue
from bento_service.catalogue.columns import metadata
from bento_service.catalogue.database import Database
from bento_service.catalogue.records import DescriptorSpace, RootRecord
from bento_service.errors import Conflict
from bento_service.filters.parser import parse
from bento_service.table_revisions import newest_revision

PROJECT = Path(__file__).parents[2]
MIGRATIONS = PROJECT / "bento_service" / "catalogue" / "migrations"


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path}/data/catalogue.db"


def _recorded(catalogue):
    with catalogue.database.reading() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()


def test_alembic_agrees_on_the_newest_revision(catalogue):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    directory = ScriptDirectory.from_config(config)

    assert [newest_revision()] == directory.get_heads() == _recorded(catalogue)
    assert all(
        Path(script.path).name.startswith(f"{script.revision}_")
        for script in directory.walk_revisions()
    )


def test_only_a_start_that_migrates_imports_alembic(tmp_path):
    code = f"""
import sys
from bento_service.catalogue import Catalogue
with Catalogue.open("sqlite:///{tmp_path}/catalogue.db"):
    print(any(name.partition(".")[0] == "alembic" for name in sys.modules))
"""

    def loads_alembic():
        answer = subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return answer.stdout.strip()

    assert [loads_alembic(), loads_alembic(), loads_alembic()] == ["True", "False", "False"]


def test_a_database_without_a_recorded_revision_is_migrated(sqlite):
    with Catalogue.open(sqlite) as catalogue, catalogue.database.writing() as connection:
        (newest,) = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DROP TABLE {table.name}"))
        connection.execute(text("DELETE FROM alembic_version"))

    with Catalogue.open(sqlite) as catalogue:
        assert _recorded(catalogue) == [newest]
        assert catalogue.collections.all() == []


def test_a_database_of_a_newer_release_is_refused(sqlite):
    with Catalogue.open(sqlite) as catalogue, catalogue.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(Conflict, match=r"newer release .*9999"):
        Catalogue.open(sqlite)


# From the tables of the first revision


@pytest.fixture(params=["sqlite", "postgresql"])
def of_revision_1(request, tmp_path):
    """Return the URL of a database with the tables of revision 0001, and some data in them."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path}/old.db"
    else:
        made = request.getfixturevalue("postgresql")
        engine = create_engine(made)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        engine.dispose()
    database = Database(made)
    with database, database.writing() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0001")
        for statement in OLD_DATA:
            connection.execute(text(statement), {"one": ONE, "two": TWO})
    return made


ONE, TWO = (np.array(v, "<f4").tobytes() for v in ([1.0, 0.0], [0.6, 0.8]))
OLD_DATA = (
    "INSERT INTO instance VALUES ('abc')",
    """
    INSERT INTO collections (id, name, descriptor, model, fingerprint, dimension, index_name,
                             revision, applied, created_at)
    VALUES (3, 'cats', 'mac', 'm:1', 'ff', 2, 'i3', 9, 7, '2026-01-02 03:04:05'),
           (4, 'dogs', 'gem', 'm:2', 'ee', 2, 'i4', 1, 0, '2026-01-02 03:04:05')
    """,
    """
    INSERT INTO images (id, collection_id, sha256, format, width, height, bytes, metadata,
                        descriptor, revision, deleted, created_at)
    VALUES (10, 3, 'd1', 'PNG', 1, 2, 3, '{"price" : 7, "shop": "é"}', :one, 7, false,
            '2026-01-02 03:04:05'),
           (11, 3, 'd2', 'PNG', 1, 2, 3, '{"price" : 8}', :two, 9, true, '2026-01-02 03:04:05'),
           (12, 4, 'd1', 'PNG', 1, 2, 3, '{}', :two, 1, false, '2026-01-02 03:04:05')
    """,
    """
    INSERT INTO sources (id, image_id, kind, root, path, sha256)
    VALUES (20, 10, 'file', 'pictures', :one, 'd1')
    """,
)


def test_data_of_the_first_revision_stays_as_it_was(of_revision_1):
    with Catalogue.open(of_revision_1) as catalogue:
        cats, dogs = catalogue.collections.all()
        assert (cats.id, cats.name, cats.index.name) == (3, "cats", "i3")
        assert cats.space == DescriptorSpace("mac", "m:1", "ff", 2, "")
        assert (cats.index.revision, cats.index.applied, cats.index.ready) == (9, 7, True)
        assert (dogs.space.descriptor, dogs.index.applied) == ("gem", 0)
        assert catalogue.images.get(10).sources[0].root == "pictures"
        assert catalogue.images.descriptor(10, cats.index.id).tobytes() == ONE
        (tombstone,) = catalogue.changes.page(cats.index.id, after=(7, 2**62), limit=9)
        assert (tombstone.image_id, tombstone.revision, tombstone.deleted) == (11, 9, True)
        assert catalogue.changes.living_ids(cats.index.id, up_to=7) == {10}
        assert catalogue.changes.living_ids(dogs.index.id, up_to=7) == {12}
        assert catalogue.collections.instance_id() == "abc"
        catalogue.collections.delete(cats.id)
        assert catalogue.images.by_ids([10, 12]).keys() == {12}


def test_roots_of_the_first_revision_are_known_by_name_alone(of_revision_1):
    with Catalogue.open(of_revision_1) as catalogue:
        assert catalogue.roots.all() == [RootRecord("pictures", None)]


def test_metadata_of_the_first_revision_can_be_filtered(of_revision_1):
    with Catalogue.open(of_revision_1) as catalogue:
        assert catalogue.filtered.count(3, parse("price > 6")) == 1
        assert catalogue.filtered.count(3, parse('shop == "é" and not price > 7')) == 1
        assert catalogue.filtered.count(4, parse("not exists price")) == 1


def test_migrated_tables_equal_newly_created_ones(of_revision_1):
    with Catalogue.open(of_revision_1) as catalogue, catalogue.database.reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_no_index_repeats_the_beginning_of_another_one():
    for table in metadata.sorted_tables:
        keys = [table.primary_key, *table.constraints, *table.indexes]
        whole = {
            tuple(column.name for column in key.columns)
            for key in keys
            if isinstance(key, PrimaryKeyConstraint | UniqueConstraint)
            or (isinstance(key, Index) and key.dialect_options["sqlite"]["where"] is None)
        }
        whole.discard(())  # a table without a primary key
        repeated = [few for few in whole for more in whole - {few} if more[: len(few)] == few]
        assert repeated == [], table.name
