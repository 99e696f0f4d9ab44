"""Revisions of the catalogue's tables, known without the libraries of the catalogue.

The first process of a service checks them, and would keep those libraries in memory.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from bento_service.errors import Conflict

VERSIONS = Path(__file__).parent / "catalogue" / "migrations" / "versions"
"""The folder of the migrations."""


def newest_revision() -> str:
    """Return the revision that this release works with, which its last migration is named after."""
    return max(file.stem.partition("_")[0] for file in VERSIONS.glob("[0-9]*.py"))


def check_revision(present: str | None) -> None:
    """Raise `Conflict` if a newer release has migrated the tables."""
    if present is not None and present > newest_revision():
        raise Conflict(
            f"the catalogue is of a newer release (its tables are at revision {present}, this "
            f"release knows {newest_revision()}); start that release, or restore the backup from "
            "before the upgrade"
        )


def check_sqlite(url: str) -> None:
    """Raise `Conflict` if a newer release has migrated the tables of an SQLite catalogue."""
    scheme, _, path = url.partition(":///")
    file = Path(path.partition("?")[0])
    if not scheme.startswith("sqlite") or not file.is_file():
        return
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.Error:
            return  # no tables yet, or damage that is reported when they are opened
    check_revision(row and row[0])
