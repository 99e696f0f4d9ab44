"""`backup`: a copy of the catalogue and the uploads, made while the service runs.

The catalogue is copied first, then the uploads that the copy needs. If the service deletes one of
them in between, the catalogue is copied again. Uploads are named by their digest, so uploads of an
earlier backup in the same folder are not copied again. The manifest is replaced last: until then
the folder holds the complete earlier backup.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bento_service.admin.answer import Answer, Refusal, shown_bytes
from bento_service.admin.data import locked, opened_catalogue, sqlite_file
from bento_service.admin.manifests import (
    MARKER,
    UPLOADS,
    BackupManifest,
    CatalogueCopy,
    UploadCopies,
)
from bento_service.admin.needed import needed_uploads
from bento_service.admin.progress import stage
from bento_service.admin.snapshot import copy_catalogue, copy_opened
from bento_service.catalogue import Catalogue
from bento_service.errors import ImageNotFound
from bento_service.settings import Settings
from bento_service.storage.blob_store import BlobStore
from bento_service.storage.blob_stores import open_blob_store
from bento_service.storage.digests import file_digest, names_digest
from bento_service.storage.durable_files import sync_folder
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.table_revisions import newest_revision

_ATTEMPTS = 20
_PARTIAL = "catalogue.partial"
_MARK = "Backups of Lookalike. A backup is complete only if there is a manifest.json.\n"


@dataclass(frozen=True)
class _Copied:
    """A copied catalogue in `_PARTIAL`, with the digests of needed and of lost uploads."""

    created_at: datetime
    instance: str
    needed: set[str]
    lost: set[str]


def back_up(settings: Settings, target: Path, *, dry_run: bool = False) -> Answer:
    """Back up into a folder; the exit code is `FINDINGS` if the service has lost some uploads."""
    database = _sqlite_catalogue(settings)
    target = target.absolute()
    _check_target(settings, target)
    with ExitStack() as stack:
        catalogue = stack.enter_context(opened_catalogue(settings))
        stored = open_blob_store(settings)
        _check_instance(catalogue, target)
        if dry_run:
            return _plan(catalogue, database, stored, target)
        stack.enter_context(locked(target, f"another backup writes to {target}; wait for it"))
        (target / MARKER).write_text(_MARK)
        kept = FolderBlobStore(target / UPLOADS)
        kept.remove_partial()
        before = set(kept.stored())
        since = settings.retriable_since()
        copied = _copied(catalogue, database, stored, kept, target, since)
        manifest = _manifest(copied, kept, target)
        (target / _PARTIAL).replace(target / manifest.catalogue.file)
        manifest.write(target)
        _prune(target, manifest, kept, copied.needed)
    return _answer(manifest, len(copied.needed - copied.lost - before))


def _sqlite_catalogue(settings: Settings) -> Path:
    file = sqlite_file(settings)
    if file is None:
        raise Refusal(
            "the catalogue is not in SQLite; back it up with its own tool (pg_dump for PostgreSQL) "
            f"and then copy the uploads, {settings.storage or settings.uploads_dir}"
        )
    return file


def _check_target(settings: Settings, target: Path) -> None:
    if target.resolve().is_relative_to(settings.data_dir.resolve()):
        raise Refusal(f"{target} is in the data folder; give a folder outside of it")
    if target.exists() and not target.is_dir():
        raise Refusal(f"{target} is not a folder")
    names = {path.name for path in target.iterdir()} - {"lock"} if target.is_dir() else set()
    if names and MARKER not in names:
        raise Refusal(
            f"{target} has other contents (there is no {MARKER}); give a new or empty folder, "
            "or one with an earlier backup"
        )


def _check_instance(catalogue: Catalogue, target: Path) -> None:
    try:
        earlier = BackupManifest.read(target)
    except Refusal:
        return  # missing or damaged: this backup replaces it
    if earlier.instance != catalogue.collections.instance_id():
        raise Refusal(f"{target} has a backup of another catalogue; give another folder")


def _copied(
    catalogue: Catalogue,
    database: Path,
    stored: BlobStore,
    kept: BlobStore,
    target: Path,
    retriable_since: datetime,
) -> _Copied:
    """Copy until every upload that the copied catalogue needs is copied or certainly lost."""
    for _ in range(_ATTEMPTS):
        created_at = datetime.now(UTC)
        (target / _PARTIAL).unlink(missing_ok=True)
        copy_catalogue(database, target / _PARTIAL)
        with copy_opened(target / _PARTIAL) as connection:
            needed = needed_uploads(connection)
        lost = _copy_uploads(stored, kept, needed)
        deleted_meanwhile = catalogue.upload_references.unneeded(lost, ended_after=retriable_since)
        if not deleted_meanwhile:
            return _Copied(created_at, catalogue.collections.instance_id(), needed, lost)
    raise Refusal(
        f"uploads were deleted faster than they could be copied, {_ATTEMPTS} times; try again at "
        "a quieter moment, copied uploads are not copied again"
    )


def _copy_uploads(stored: BlobStore, kept: BlobStore, needed: set[str]) -> set[str]:
    """Copy missing uploads, and return the digests of those that are gone or damaged."""
    lost = set()
    missing = sorted(needed - set(kept.stored()))
    with stage("uploads", len(missing), "files") as advance:
        for digest in missing:
            if not copy_upload(stored, kept, digest):
                lost.add(digest)
            advance(1)
    return lost


def copy_upload(source: BlobStore, target: BlobStore, digest: str) -> bool:
    """Copy one upload; return false if it is missing or its bytes do not match its digest."""
    try:
        with source.open(digest) as file:
            staged = target.stage(file)
    except ImageNotFound:
        return False
    try:
        if staged.sha256 == digest:
            target.keep([staged])
        return staged.sha256 == digest
    finally:
        target.drop([staged])


def _manifest(copied: _Copied, kept: BlobStore, target: Path) -> BackupManifest:
    partial = target / _PARTIAL
    digest = file_digest(partial)
    whole = copied.needed - copied.lost
    return BackupManifest(
        created_at=copied.created_at,
        instance=copied.instance,
        catalogue=CatalogueCopy(
            file=f"catalogue-{digest[:16]}.db",
            bytes=partial.stat().st_size,
            sha256=digest,
            revision=newest_revision(),
        ),
        uploads=UploadCopies(
            count=len(whole), bytes=sum(kept.sizes(whole).values()), sha256=names_digest(whole)
        ),
        lost=tuple(sorted(copied.lost)),
    )


def _prune(target: Path, manifest: BackupManifest, kept: BlobStore, needed: set[str]) -> None:
    """Remove files that only earlier backups needed, after their manifest was replaced."""
    for earlier in target.glob("catalogue-*.db"):
        if earlier.name != manifest.catalogue.file:
            earlier.unlink()
    kept.remove(set(kept.stored()) - needed)
    sync_folder(target)


def _plan(catalogue: Catalogue, database: Path, stored: BlobStore, target: Path) -> Answer:
    with catalogue.database.reading() as connection:
        needed = needed_uploads(connection)
    missing = needed - set(FolderBlobStore(target / UPLOADS).stored())
    catalogue_bytes, upload_bytes = database.stat().st_size, sum(stored.sizes(missing).values())
    record: dict[str, object] = {
        "would_copy": len(missing),
        "upload_bytes": upload_bytes,
        "catalogue_bytes": catalogue_bytes,
    }
    line = (
        f"would copy the catalogue ({shown_bytes(catalogue_bytes)}) and {len(missing)} of "
        f"{len(needed)} uploads ({shown_bytes(upload_bytes)})"
    )
    return Answer(record, (line,))


def _answer(manifest: BackupManifest, new: int) -> Answer:
    summary = (
        f"backed up: the catalogue ({shown_bytes(manifest.catalogue.bytes)}) and "
        f"{manifest.uploads.count} uploads ({shown_bytes(manifest.uploads.bytes)}), {new} of them "
        "new here"
    )
    lines = [summary]
    if manifest.lost:
        lines.append(
            f"{len(manifest.lost)} uploads are gone or damaged in the service's own folder and are "
            "not in the backup; `verify --deep` lists their images"
        )
    record = {**manifest.model_dump(mode="json"), "copied": new}
    return Answer(record, lines, is_clean=not manifest.lost)
