"""`compact`: gives disk back that deleted images have left behind."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bento_service.admin.answer import Answer, shown_bytes
from bento_service.admin.data import (
    opened_catalogue,
    service_stopped,
    size_on_disk,
    sqlite_file,
)
from bento_service.admin.index import follow_to_the_end, forget_progress, own_indexes
from bento_service.admin.progress import stage
from bento_service.assembly.opening import open_uploads
from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.settings import Settings

_LOGS = ("", "-wal", "-shm")


def compact(settings: Settings, *, dry_run: bool = False) -> Answer:
    """Write the SQLite file anew and build Milvus Lite's indexes anew.

    Other databases and a Milvus server do that by themselves and are left alone. A crash at any
    moment costs nothing: an index that is not whole is built at the next start.

    Raises:
        Refusal: A service runs.
        IndexUnavailable: Milvus Lite does not answer.
    """
    with service_stopped(settings), opened_catalogue(settings) as catalogue:
        lite = None if "://" in settings.milvus else Path(settings.milvus)
        database = sqlite_file(settings)
        before = _sizes(database, lite)
        if dry_run:
            return _foretold(before, database)
        if lite is not None and lite.exists():
            _rebuild_indexes(settings, catalogue)
        if database is not None:
            catalogue.database.__exit__()  # VACUUM wants to be alone
            _vacuum(database)
    after = _sizes(database, lite)
    won = {name: before[name] - after[name] for name in before}
    lines = [
        f"{name}: {shown_bytes(before[name])} before, {shown_bytes(after[name])} now, "
        f"{shown_bytes(won[name])} won"
        for name in before
    ]
    return Answer({"before": before, "after": after, "won": won}, tuple(lines))


def _sizes(database: Path | None, lite: Path | None) -> dict[str, int]:
    sizes = {}
    if database is not None:
        files = (database.with_name(database.name + suffix) for suffix in _LOGS)
        sizes["catalogue"] = sum(map(size_on_disk, files))
    if lite is not None:
        sizes["index"] = size_on_disk(lite)
    return sizes


def _foretold(before: dict[str, int], database: Path | None) -> Answer:
    free = 0
    if database is not None:
        with closing(sqlite3.connect(database)) as connection:
            (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        free = pages * size
    lines = [f"{name}: {shown_bytes(size)}" for name, size in before.items()]
    lines.append(f"{shown_bytes(free)} of the catalogue are free; the index shows it afterwards")
    return Answer({"before": before, "free_in_catalogue": free}, tuple(lines))


def _rebuild_indexes(settings: Settings, catalogue: Catalogue) -> None:
    uploads = open_uploads(settings, catalogue)
    with MilvusGallery(settings.milvus) as gallery:
        # Tombstones go first: an index that begins anew has nothing to delete.
        follow_to_the_end(catalogue, gallery, on_purged=uploads.discard)
        with catalogue.database.writing() as connection:
            forget_progress(connection)
        wanted, left_over = own_indexes(catalogue, gallery)
        for name in sorted(wanted | left_over):
            gallery.drop(name)
        follow_to_the_end(catalogue, gallery, on_purged=uploads.discard)


def _vacuum(database: Path) -> None:
    with (
        stage("catalogue", None, "files") as advance,
        closing(sqlite3.connect(database, isolation_level=None)) as connection,
    ):
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        advance(1)
