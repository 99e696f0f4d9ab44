"""`restore`: replacement of a data folder by a backup. The next start rebuilds the index.

Everything is checked before anything is replaced, and the catalogue is replaced atomically: an
interrupted restore leaves the old catalogue or the new one, and can be repeated.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from bento_service.admin.answer import Answer, Refusal, shown_bytes
from bento_service.admin.backup import copy_upload
from bento_service.admin.data import locked, sqlite_file
from bento_service.admin.index import forget_progress
from bento_service.admin.manifests import UPLOADS, BackupManifest
from bento_service.admin.needed import needed_uploads
from bento_service.admin.progress import stage
from bento_service.admin.snapshot import copy_opened
from bento_service.catalogue.migration import migrate
from bento_service.errors import ImageNotFound
from bento_service.settings import Settings
from bento_service.storage.blob_store import BlobStore
from bento_service.storage.blob_stores import open_blob_store
from bento_service.storage.digests import file_digest, names_digest, stream_digest
from bento_service.storage.durable_files import sync_folder
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.table_revisions import newest_revision

_NOT_DATA = ("lock", "bentoml")
"""Entries of a data folder without the service's data: the lock, and the store of models."""


def restore(
    settings: Settings, source: Path, *, force: bool = False, dry_run: bool = False
) -> Answer:
    """Restore the backup in a folder; with `force`, replace the contents of the data folder."""
    database = sqlite_file(settings)
    if database is None:
        raise Refusal("the catalogue is not in SQLite; restore it with its own tool (pg_restore)")
    manifest = BackupManifest.read(source)
    needed = _checked(source, manifest)
    if settings.data_dir.exists():
        _check_free(settings, database, force=force)
    if dry_run:
        return _answer(manifest, "would restore")
    running = f"a service or another command uses {settings.data_dir}; stop the service"
    with locked(settings.data_dir, running):
        _check_free(settings, database, force=force)
        _restore_uploads(settings, source, needed)
        _restore_catalogue(settings, source / manifest.catalogue.file, database)
    return _answer(manifest, "restored")


def _check_free(settings: Settings, database: Path, *, force: bool) -> None:
    names = {path.name for path in settings.data_dir.iterdir()} - set(_NOT_DATA)
    if (names or database.exists()) and not force:
        raise Refusal(
            f"{settings.data_dir} is not empty; give another LOOKALIKE_DATA_DIR, or --force to "
            "replace its contents"
        )


def _checked(source: Path, manifest: BackupManifest) -> set[str]:
    """Check that catalogue and uploads are complete, and return the needed uploads."""
    copy = source / manifest.catalogue.file
    if not copy.is_file() or file_digest(copy) != manifest.catalogue.sha256:
        raise Refusal(f"{copy} is not the file that the manifest names; the backup is damaged")
    if manifest.catalogue.revision > newest_revision():
        raise Refusal(
            f"the backup is of a newer release ({manifest.versions.lookalike}, tables "
            f"{manifest.catalogue.revision}); restore it with that release"
        )
    with copy_opened(copy) as connection:
        needed = needed_uploads(connection) - set(manifest.lost)
    missing = needed - set(FolderBlobStore(source / UPLOADS).stored())
    if names_digest(needed) != manifest.uploads.sha256 or missing:
        raise Refusal(
            f"{len(missing)} of {len(needed)} uploads are missing from {source / UPLOADS}; "
            "the backup is damaged"
        )
    return needed


def _restore_uploads(settings: Settings, source: Path, needed: set[str]) -> None:
    saved, stored = FolderBlobStore(source / UPLOADS), open_blob_store(settings)
    with stage("uploads", len(needed), "files") as advance:
        for digest in sorted(needed):
            if not (_is_whole(stored, digest) or copy_upload(saved, stored, digest)):
                raise Refusal(
                    f"upload {digest} of the backup is damaged; the catalogue was not changed"
                )
            advance(1)


def _is_whole(stored: BlobStore, digest: str) -> bool:
    """Return true if an upload is stored undamaged; remove it if it is damaged."""
    try:
        with stored.open(digest) as file:
            whole = stream_digest(file) == digest
    except ImageNotFound:
        return False
    if not whole:
        stored.remove({digest})
    return whole


def _restore_catalogue(settings: Settings, copy: Path, database: Path) -> None:
    database.parent.mkdir(parents=True, exist_ok=True)
    incoming = database.with_name(f"{database.name}.incoming")
    # SQLite would apply the log of an interrupted restore to this copy.
    _remove_logs(incoming)
    shutil.copyfile(copy, incoming)
    with copy_opened(incoming) as connection:
        migrate(connection)  # the backup may be of an older release
        forget_progress(connection)
    with incoming.open("rb") as file:
        os.fsync(file.fileno())
    if not settings.milvus_uri and Path(settings.milvus).exists():
        shutil.rmtree(settings.milvus)
    _fold_log(database)
    incoming.replace(database)
    sync_folder(database.parent)


def _fold_log(database: Path) -> None:
    """Fold the old catalogue's log into its file, because it would damage the new catalogue."""
    if database.exists():
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _remove_logs(database)


def _remove_logs(database: Path) -> None:
    for suffix in ("-journal", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _answer(manifest: BackupManifest, what: str) -> Answer:
    line = (
        f"{what} the catalogue of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC "
        f"({shown_bytes(manifest.catalogue.bytes)}) and {manifest.uploads.count} uploads "
        f"({shown_bytes(manifest.uploads.bytes)}); the next start builds the index"
    )
    return Answer({"backup": manifest.model_dump(mode="json")}, (line,))
