"""`compact`: recovery of the disk space of deleted images."""

import sqlite3
from contextlib import closing
from pathlib import Path

from bento_service.admin.answer import Answer, shown_bytes
from bento_service.admin.data import opened_catalogue, service_stopped, size_on_disk, sqlite_file
from bento_service.admin.index import follow_to_the_end, forget_progress, own_indexes
from bento_service.admin.progress import stage
from bento_service.assembly.uploads import open_uploads
from bento_service.catalogue import Catalogue
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.settings import Settings

_LOGS = ("", "-wal", "-shm")


def compact(settings: Settings, *, dry_run: bool = False) -> Answer:
    """Rewrite the SQLite file and rebuild the indexes of Milvus Lite.

    Other databases and a Milvus server compact themselves and are skipped. A crash at any moment
    is harmless: an incomplete index is rebuilt at the next start.
    """
    with service_stopped(settings), opened_catalogue(settings) as catalogue:
        lite = None if "://" in settings.milvus else Path(settings.milvus)
        database = sqlite_file(settings)
        before = _sizes(database, lite)
        if dry_run:
            return _plan(before, database)
        if lite is not None and lite.exists():
            _rebuild_indexes(settings, catalogue)
        if database is not None:
            catalogue.database.__exit__()  # VACUUM needs exclusive access
            _vacuum(database)
    after = _sizes(database, lite)
    freed = {name: before[name] - after[name] for name in before}
    lines = [
        f"{name}: {shown_bytes(before[name])} before, {shown_bytes(after[name])} now, "
        f"{shown_bytes(freed[name])} freed"
        for name in before
    ]
    return Answer({"before": before, "after": after, "won": freed}, lines)


def _sizes(database: Path | None, lite: Path | None) -> dict[str, int]:
    sizes = {}
    if database is not None:
        files = (database.with_name(database.name + suffix) for suffix in _LOGS)
        sizes["catalogue"] = sum(map(size_on_disk, files))
    if lite is not None:
        sizes["index"] = size_on_disk(lite)
    return sizes


def _plan(before: dict[str, int], database: Path | None) -> Answer:
    free = 0
    if database is not None:
        with closing(sqlite3.connect(database)) as connection:
            (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        free = pages * size
    lines = [f"{name}: {shown_bytes(size)}" for name, size in before.items()]
    lines.append(f"{shown_bytes(free)} of the catalogue can be freed; of the index not known yet")
    return Answer({"before": before, "free_in_catalogue": free}, lines)


def _rebuild_indexes(settings: Settings, catalogue: Catalogue) -> None:
    with (
        open_uploads(settings, catalogue) as uploads,
        MilvusGallery.from_settings(settings) as gallery,
    ):
        # Replay purges tombstones first, because a rebuilt index has no rows to delete.
        follow_to_the_end(catalogue, gallery, on_purged=uploads.discard)
        with catalogue.database.writing() as connection:
            forget_progress(connection)
        current, left_over = own_indexes(catalogue, gallery)
        for name in sorted(current | left_over):
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
