"""Bringing the tables to the newest revision, and doing nothing where they are there."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.command import upgrade
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text

from bento_service.catalogue import Catalogue, migration
from bento_service.catalogue.database import Database
from bento_service.catalogue.tables import metadata
from bento_service.filters.parser import parse

PROJECT = Path(__file__).parents[2]
MIGRATIONS = PROJECT / "bento_service" / "catalogue" / "migrations"


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path}/data/catalogue.db"


def _recorded(catalogue):
    with catalogue.database.reading() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()


def test_the_newest_file_is_what_alembic_takes_for_the_newest_revision(catalogue):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    directory = ScriptDirectory.from_config(config)

    assert [migration._newest()] == directory.get_heads() == _recorded(catalogue)
    assert all(
        Path(script.path).name.startswith(f"{script.revision}_")
        for script in directory.walk_revisions()
    )


def test_only_a_start_that_has_to_migrate_loads_alembic(tmp_path):
    code = f"""
import sys
from bento_service.catalogue import Catalogue
with Catalogue.open("sqlite:///{tmp_path}/catalogue.db"):
    print(any(name.partition(".")[0] == "alembic" for name in sys.modules))
"""

    def loads_alembic():
        answer = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
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


def test_a_database_of_a_newer_program_is_refused(sqlite):
    with Catalogue.open(sqlite) as catalogue, catalogue.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(CommandError, match="9999"):
        Catalogue.open(sqlite)


def test_metadata_of_an_older_catalogue_can_be_filtered(sqlite):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    database = Database(sqlite)
    with database.writing() as connection:
        config.attributes["connection"] = connection
        upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO collections (id, name, index_name, revision, created_at) "
                "VALUES (1, 'cats', 'i', 1, '2026-01-01')"
            )
        )
        for number, deleted in ((1, 0), (2, 0), (3, 1)):
            connection.execute(
                text(
                    "INSERT INTO images (id, collection_id, sha256, format, width, height, bytes, "
                    "metadata, deleted, created_at) "
                    "VALUES (:n, 1, :n, 'PNG', 2, 2, 9, :metadata, :deleted, '2026-01-01')"
                ),
                {"n": number, "deleted": deleted, "metadata": f'{{"price": {number}}}'},
            )

    with Catalogue.open(sqlite) as catalogue:
        assert catalogue.filtered.count(1, parse("price > 1")) == 1
        assert catalogue.filtered.count(1, parse("price > 0")) == 2
    database.__exit__()
