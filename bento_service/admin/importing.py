"""`import`: images with descriptors from a Parquet file into a collection.

An image is taken only if one of its sources has its bytes here, compared by SHA-256; sources that
have not are left out. With `without_bytes` every image is taken with all its sources: it can be
found, but its original cannot be shown, and it cannot be described anew. Where a source names an
image root that is another folder here, the root gets another name. The whole file is checked
before the first image is written, and what was imported once is not imported again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bento_service.admin.answer import CLEAN, FINDINGS, Answer, Refusal
from bento_service.admin.backup import copy_upload
from bento_service.admin.data import opened_catalogue, service_stopped
from bento_service.admin.interchange import opened_file
from bento_service.admin.progress import stage
from bento_service.admin.rows import ImportedImage, checked_rows
from bento_service.admin.sources import Sources, SourceState
from bento_service.catalogue import Catalogue
from bento_service.catalogue.database import insert_or_ignore
from bento_service.catalogue.images.images import ids_by_digest
from bento_service.catalogue.jobs.records import Described, NewImage
from bento_service.catalogue.jobs.results import add_images
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace, SourceRecord
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.roots import reserve
from bento_service.catalogue.tables import SourceKind, sources
from bento_service.errors import CollectionNotFound
from bento_service.settings import Settings
from bento_service.storage.image_roots import ImageRoots
from bento_service.storage.root_bindings import bound_roots, planned_roots
from bento_service.storage.uploads import Uploads


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What `import` is asked to do.

    Attributes:
        collection: Where the images go; made if it is not there.
        uploads: The folder `uploads` of another data folder or of a backup, to take bytes from.
        without_bytes: Take images, too, whose bytes are not here.
        dry_run: Check everything, change nothing.
    """

    collection: str
    uploads: Path | None = None
    without_bytes: bool = False
    dry_run: bool = False


def import_images(settings: Settings, path: Path, options: ImportOptions) -> Answer:
    """Import; `FINDINGS` where images were left out because their bytes are not here.

    Raises:
        Refusal: A service runs, the file is damaged, its descriptors are of another version, or
            the collection has more than one.
        InvalidArgument: A collection cannot have that name.
    """
    file, space, origin = opened_file(path)
    with service_stopped(settings), opened_catalogue(settings) as catalogue:
        _check_space(catalogue, space, options.collection)
        total = file.metadata.num_rows
        _check_rows(file, total)
        counts: Counter[str] = Counter(new=0, known=0, left_out=0)
        bind = planned_roots if options.dry_run else bound_roots
        roots = bind(catalogue, settings.image_roots)
        is_own = origin == catalogue.collections.instance_id()
        found = _Finder(settings, options, roots, origin=None if is_own else origin)
        collection = None
        if not options.dry_run:
            collection = catalogue.collections.ensure(options.collection, space)
        with stage("images", total, "images") as advance:
            for rows in checked_rows(file):
                taken = found.taken(rows)
                counts["left_out"] += len(rows) - len(taken)
                if collection is None:
                    counts["new"] += len(taken)
                else:
                    new = _commit(catalogue, collection, taken)
                    counts += Counter(new=new, known=len(taken) - new)
                advance(len(rows))
    return _answer(counts, options)


def _check_space(catalogue: Catalogue, space: DescriptorSpace, name: str) -> None:
    """Refuse descriptors that nothing here could be compared with, or that would not be enough."""
    try:
        collection = catalogue.collections.named(name)
        if len(catalogue.indexes.of(collection.id)) > 1:
            raise Refusal(
                f"collection {name!r} is being reindexed or has its former descriptors still, and "
                "the file has but one descriptor an image; let the reindex end, drop the former "
                f"ones with DELETE /api/v2/collections/{name}/reindex, then import"
            )
        held = {collection.space.fingerprint}
    except CollectionNotFound:
        held = {each.space.fingerprint for each in catalogue.collections.all()}
    if held and space.fingerprint not in held:
        raise Refusal(
            f"the file holds {space.descriptor} descriptors of {space.model} "
            f"({space.fingerprint[:12]}), here are {', '.join(sorted(one[:12] for one in held))}; "
            "they cannot be compared, so index the pictures themselves instead"
        )


def _check_rows(file: Any, total: int) -> None:
    seen: set[str] = set()
    with stage("check", total, "images") as advance:
        for rows in checked_rows(file):
            seen.update(row.sha256 for row in rows)
            advance(len(rows))
    if len(seen) != total:
        raise Refusal(f"{total - len(seen)} rows have a sha256 that another one has too")


class _Finder:
    """Decides which images are taken, and with which of their sources."""

    def __init__(
        self, settings: Settings, options: ImportOptions, roots: ImageRoots, *, origin: str | None
    ) -> None:
        """Prepare.

        Args:
            settings: Whose uploads.
            options: What is asked for.
            roots: The image roots here.
            origin: Identity of the catalogue that the file is of, `None` if it is this one.
        """
        self._roots = roots
        self._origin = origin
        self._sources = Sources(settings, roots, deep=True)
        self._stored = Uploads(settings.uploads_dir)
        self._given = Uploads(options.uploads, read_only=True) if options.uploads else None
        self._options = options

    def taken(self, rows: Sequence[ImportedImage]) -> list[ImportedImage]:
        """Those that are taken, with the sources that they keep."""
        if self._options.without_bytes:
            return [self._whole_row(row) for row in rows]
        kept = (replace(row, sources=self._kept(row)) for row in rows)
        return [row for row in kept if row.sources]

    def _whole_row(self, row: ImportedImage) -> ImportedImage:
        """Return an image with all its sources; the uploads that can be had are taken."""
        kept = set(self._kept(row))
        sources = tuple(one if one in kept else self._elsewhere(one) for one in row.sources)
        return replace(row, sources=sources)

    def _elsewhere(self, source: SourceRecord) -> SourceRecord:
        """Return a source whose bytes are not here, under a root that is no folder here.

        The root of that name here may be another folder than in the catalogue of the file.
        """
        is_other = self._origin is not None and source.root in self._roots.names
        if source.kind is SourceKind.UPLOAD or not is_other:
            return source
        return replace(source, root=f"{source.root}@{(self._origin or 'import')[:8]}")

    def _kept(self, row: ImportedImage) -> tuple[SourceRecord, ...]:
        return tuple(
            source
            for source in row.sources
            if self._sources.state(source, row.sha256, row.bytes) is SourceState.WHOLE
            or (source.kind is SourceKind.UPLOAD and self._fetch(row.sha256))
        )

    def _fetch(self, digest: str) -> bool:
        """Take an upload's bytes from the folder that was given."""
        if self._given is None:
            return False
        if self._options.dry_run:
            return digest in set(self._given.stored())
        return copy_upload(self._given, self._stored, digest)


def _commit(
    catalogue: Catalogue, collection: CollectionRecord, rows: Sequence[ImportedImage]
) -> int:
    """Write some images, all or none; how many of them were new."""
    with catalogue.database.writing() as connection:
        revision = next_revision(connection, collection.id)
        held = ids_by_digest(connection, collection.id, {row.sha256 for row in rows})
        new = [_new(row, collection.space) for row in rows if row.sha256 not in held]
        held |= add_images(connection, collection.id, revision, new)
        places = [
            {
                "image_id": held[row.sha256],
                "kind": source.kind,
                "root": source.root,
                "path": source.path,
                "sha256": row.sha256,
            }
            for row in rows
            for source in row.sources
        ]
        reserve(connection, {one.root for row in rows for one in row.sources} - {""})
        if places:
            connection.execute(insert_or_ignore(connection, sources), places)
    return len(new)


def _new(row: ImportedImage, space: DescriptorSpace) -> NewImage:
    described = Described(
        row.sha256,
        row.format,
        row.width,
        row.height,
        row.bytes,
        {space.fingerprint: row.descriptor},
        row.hashes,
    )
    return NewImage(described, row.metadata, row.created_at)


def _answer(counts: Counter[str], options: ImportOptions) -> Answer:
    verb = "would import" if options.dry_run else "imported"
    lines = [f"{verb} {counts['new']} images into {options.collection}"]
    if counts["known"]:
        lines.append(f"{counts['known']} were there already")
    if counts["left_out"]:
        lines.append(
            f"{counts['left_out']} were left out, because none of their sources has their bytes "
            "here; --uploads FOLDER gives uploads, --without-bytes takes them as they are"
        )
    if not options.dry_run:
        lines.append("the next start of the service puts them into the index")
    record: dict[str, object] = {name: counts[name] for name in ("new", "known", "left_out")}
    return Answer(record, tuple(lines), FINDINGS if counts["left_out"] else CLEAN)
