"""`backup`: the catalogue and the uploads, copied while the service runs.

The catalogue is copied first, then the uploads that the copy needs. What the service deletes in
between would be missing, so then the catalogue is copied once more. Uploads are named by their
bytes, so what an earlier backup into the same folder holds is not copied again. The manifest is
exchanged last: until then the folder holds the earlier backup, whole.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bento_service.admin.answer import CLEAN, FINDINGS, Answer, Refusal, shown_bytes
from bento_service.admin.data import alone, opened_catalogue, sqlite_file
from bento_service.admin.manifest import (
    MARKER,
    UPLOADS,
    CatalogueCopy,
    Manifest,
    UploadCopies,
    read_manifest,
    sync_folder,
    write_manifest,
)
from bento_service.admin.needed import needed_uploads
from bento_service.admin.progress import stage
from bento_service.admin.snapshot import copy_catalogue, copy_opened
from bento_service.catalogue import Catalogue
from bento_service.catalogue.migration import newest_revision
from bento_service.errors import ImageNotFound
from bento_service.settings import Settings
from bento_service.storage.digests import file_digest, names_digest
from bento_service.storage.uploads import Uploads

_ATTEMPTS = 20
_PARTIAL = "catalogue.partial"
_MARK = "Backups of Lookalike. What is here is whole only where there is a manifest.json.\n"


@dataclass(frozen=True)
class _Copied:
    """A copied catalogue in `_PARTIAL` and what became of the uploads that it needs."""

    created_at: datetime
    instance: str
    needed: set[str]
    lost: set[str]


def back_up(settings: Settings, target: Path, *, dry_run: bool = False) -> Answer:
    """Back up into a folder; `FINDINGS` where the service itself has lost some uploads.

    Raises:
        Refusal: The catalogue is not SQLite, or the folder is not for backups of this catalogue.
        StorageFull: The disk has no room; an earlier backup in the folder is still whole.
    """
    database = _sqlite_catalogue(settings)
    target = target.absolute()
    _check_target(settings, target)
    with ExitStack() as stack:
        catalogue = stack.enter_context(opened_catalogue(settings))
        stored = Uploads(settings.uploads_dir, read_only=True)
        _check_instance(catalogue, target)
        if dry_run:
            return _foretold(catalogue, database, stored, target)
        stack.enter_context(alone(target, f"another backup writes to {target}; let it end"))
        (target / MARKER).write_text(_MARK)
        kept = Uploads(target / UPLOADS)
        before = set(kept.stored())
        since = settings.retriable_since()
        copied = _copied(catalogue, database, stored, kept, target, since)
        manifest = _manifest(copied, kept, target)
        (target / _PARTIAL).replace(target / manifest.catalogue.file)
        write_manifest(target, manifest)
        _prune(target, manifest, kept, copied.needed)
    return _answer(manifest, len(copied.needed - copied.lost - before))


def _sqlite_catalogue(settings: Settings) -> Path:
    file = sqlite_file(settings)
    if file is None:
        raise Refusal(
            "the catalogue is not in SQLite; back it up with its own tool (pg_dump for PostgreSQL) "
            f"and after that copy the folder {settings.uploads_dir}"
        )
    return file


def _check_target(settings: Settings, target: Path) -> None:
    if target.resolve().is_relative_to(settings.data_dir.resolve()):
        raise Refusal(f"{target} is in the data folder; a backup belongs elsewhere")
    if target.exists() and not target.is_dir():
        raise Refusal(f"{target} is not a folder")
    held = {path.name for path in target.iterdir()} - {"lock"} if target.is_dir() else set()
    if held and MARKER not in held:
        raise Refusal(
            f"{target} holds something else (there is no {MARKER}); give a new or empty folder, "
            "or one with an earlier backup"
        )


def _check_instance(catalogue: Catalogue, target: Path) -> None:
    try:
        earlier = read_manifest(target)
    except Refusal:
        return  # none, or a damaged one: it is replaced
    if earlier.instance != catalogue.collections.instance_id():
        raise Refusal(f"{target} holds the backup of another catalogue; give a folder of its own")


def _copied(
    catalogue: Catalogue,
    database: Path,
    stored: Uploads,
    kept: Uploads,
    target: Path,
    retriable_since: datetime,
) -> _Copied:
    """Copy until every upload that the copied catalogue needs is there, or is known to be lost."""
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
        "a quieter moment, what was copied is not copied again"
    )


def _copy_uploads(stored: Uploads, kept: Uploads, needed: set[str]) -> set[str]:
    """Copy what is not there yet; digests of those that are gone or damaged."""
    lost = set()
    wanted = sorted(needed - set(kept.stored()))
    with stage("uploads", len(wanted), "files") as advance:
        for digest in wanted:
            if not copy_upload(stored, kept, digest):
                lost.add(digest)
            advance(1)
    return lost


def copy_upload(source: Uploads, target: Uploads, digest: str) -> bool:
    """Copy one upload; whether it was there and its bytes are those of its name."""
    try:
        with source.open(digest) as file, target.receiving([file]) as (found,):
            pass
    except ImageNotFound:
        return False
    return found == digest


def _manifest(copied: _Copied, kept: Uploads, target: Path) -> Manifest:
    partial = target / _PARTIAL
    digest = file_digest(partial)
    whole = copied.needed - copied.lost
    return Manifest(
        created_at=copied.created_at,
        instance=copied.instance,
        catalogue=CatalogueCopy(
            file=f"catalogue-{digest[:16]}.db",
            bytes=partial.stat().st_size,
            sha256=digest,
            revision=newest_revision(),
        ),
        uploads=UploadCopies(
            count=len(whole), bytes=stored_bytes(kept, whole), sha256=names_digest(whole)
        ),
        lost=tuple(sorted(copied.lost)),
    )


def stored_bytes(uploads: Uploads, digests: set[str]) -> int:
    """How large these uploads are together; those that are not there count nothing."""
    total = 0
    for digest in digests:
        try:
            with uploads.open(digest) as file:
                total += file.seek(0, 2)
        except ImageNotFound:
            continue
    return total


def _prune(target: Path, manifest: Manifest, kept: Uploads, needed: set[str]) -> None:
    """Remove what only earlier backups needed; the manifest that named it is gone."""
    for earlier in target.glob("catalogue-*.db"):
        if earlier.name != manifest.catalogue.file:
            earlier.unlink()
    kept.remove(set(kept.stored()) - needed)
    sync_folder(target)


def _foretold(catalogue: Catalogue, database: Path, stored: Uploads, target: Path) -> Answer:
    with catalogue.database.reading() as connection:
        needed = needed_uploads(connection)
    wanted = needed - set(Uploads(target / UPLOADS, read_only=True).stored())
    catalogue_bytes, upload_bytes = database.stat().st_size, stored_bytes(stored, wanted)
    record: dict[str, object] = {
        "would_copy": len(wanted),
        "upload_bytes": upload_bytes,
        "catalogue_bytes": catalogue_bytes,
    }
    line = (
        f"would copy the catalogue ({shown_bytes(catalogue_bytes)}) and {len(wanted)} of "
        f"{len(needed)} uploads ({shown_bytes(upload_bytes)})"
    )
    return Answer(record, (line,))


def _answer(manifest: Manifest, new: int) -> Answer:
    done = (
        f"backed up: the catalogue ({shown_bytes(manifest.catalogue.bytes)}) and "
        f"{manifest.uploads.count} uploads ({shown_bytes(manifest.uploads.bytes)}), {new} of them "
        "new here"
    )
    lines = [done]
    if manifest.lost:
        lines.append(
            f"{len(manifest.lost)} uploads are gone or damaged in the service's own folder and are "
            "not in the backup; `verify --deep` tells of which images"
        )
    record = {**manifest.model_dump(mode="json"), "copied": new}
    return Answer(record, tuple(lines), FINDINGS if manifest.lost else CLEAN)
