"""Consistent copies of an SQLite catalogue while others write to it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine

from bento_service.admin.progress import stage

_PAGES_A_STEP = 2048
_BUSY_SECONDS = 30.0


def copy_catalogue(source: Path, target: Path) -> None:
    """Copy a catalogue with SQLite's online backup, durably and without a separate log.

    Other processes may write to the source.
    """
    uri = f"{source.absolute().as_uri()}?mode=rw"
    connect = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    with closing(connect) as live, closing(sqlite3.connect(target)) as copy:
        # The transaction pins the state to copy. Otherwise every write of the service restarts
        # the copy, and with a busy service it never ends.
        live.execute("BEGIN")
        pages = live.execute("PRAGMA page_count").fetchone()[0]
        live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with stage("catalogue", pages, "pages") as advance:
            done = 0

            def progressed(_: int, remaining: int, total: int) -> None:
                nonlocal done
                advance(total - remaining - done)
                done = total - remaining

            live.backup(copy, pages=_PAGES_A_STEP, progress=progressed, sleep=0.0)
        live.execute("ROLLBACK")
        copy.execute("PRAGMA journal_mode = DELETE")
    with target.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def copy_opened(path: Path) -> Iterator[Connection]:
    """Open a transaction on a copied catalogue, which stays a single file."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
