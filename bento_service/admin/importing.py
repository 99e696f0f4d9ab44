"""`import`: images with descriptors from a Parquet file into a collection.

An image is imported only if one of its sources here has its bytes, compared by SHA-256; other
sources are skipped. With `without_bytes` every image is imported with all its sources: searches
find it, but its original cannot be shown, and it cannot be reindexed. If a source names an image
root that is another folder here, the root is renamed. The whole file is checked before the first
image is written, and images that were imported earlier are skipped.
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
    """Options of `import`.

    Attributes:
        collection: The target collection; created if missing.
        uploads: The folder `uploads` of another data folder or of a backup, to copy bytes from.
        without_bytes: Also import images whose bytes are missing here.
        dry_run: Check everything, change nothing.
    """

    collection: str
    uploads: Path | None = None
    without_bytes: bool = False
    dry_run: bool = False


def import_images(settings: Settings, path: Path, options: ImportOptions) -> Answer:
    """Import a file; the exit code is `FINDINGS` if images without bytes here were left out.

    Raises:
        Refusal: A service runs, the file is damaged, its descriptors are of another version, or
            the collection has more than one descriptor.
        InvalidArgument: The name of the collection is invalid.
    """
    file, space, origin = opened_file(path)
    with service_stopped(settings), opened_catalogue(settings) as catalogue:
        _check_space(catalogue, space, options.collection)
        total = file.metadata.num_rows
        _check_rows(file, total)
        bind = planned_roots if options.dry_run else bound_roots
        roots = bind(catalogue, settings.image_roots)
        is_own = origin == catalogue.collections.instance_id()
        selection = _Selection(settings, options, roots, origin=None if is_own else origin)
        collection = None
        if not options.dry_run:
            collection = catalogue.collections.ensure(options.collection, space)
        counts: Counter[str] = Counter()
        with stage("images", total, "images") as advance:
            for rows in checked_rows(file):
                selected = selection.select(rows)
                new = len(selected)
                if collection is not None:
                    new = _commit(catalogue, collection, selected)
                counts.update(
                    new=new, known=len(selected) - new, left_out=len(rows) - len(selected)
                )
                advance(len(rows))
    return _answer(counts, options)


def _check_space(catalogue: Catalogue, space: DescriptorSpace, name: str) -> None:
    """Reject descriptors that cannot be compared with those here, or that are too few."""
    try:
        collection = catalogue.collections.named(name)
        if len(catalogue.indexes.of(collection.id)) > 1:
            raise Refusal(
                f"collection {name!r} is being reindexed or still has its former descriptors, and "
                "the file has only one descriptor an image; wait for the reindex, drop the former "
                f"ones with DELETE /api/v2/collections/{name}/reindex, then import"
            )
        present = {collection.space.fingerprint}
    except CollectionNotFound:
        present = {each.space.fingerprint for each in catalogue.collections.all()}
    if present and space.fingerprint not in present:
        raise Refusal(
            f"the file holds {space.descriptor} descriptors of {space.model} "
            f"({space.fingerprint[:12]}), the catalogue has "
            f"{', '.join(sorted(fingerprint[:12] for fingerprint in present))}; "
            "they cannot be compared, so index the pictures themselves instead"
        )


def _check_rows(file: Any, total: int) -> None:
    seen: set[str] = set()
    with stage("check", total, "images") as advance:
        for rows in checked_rows(file):
            seen.update(row.sha256 for row in rows)
            advance(len(rows))
    if len(seen) != total:
        raise Refusal(f"{total - len(seen)} rows repeat the sha256 of another row; export again")


class _Selection:
    """The choice of images to import, and of their sources.

    `origin` is the identity of the catalogue that wrote the file, `None` if it is this one.
    """

    def __init__(
        self, settings: Settings, options: ImportOptions, roots: ImageRoots, *, origin: str | None
    ) -> None:
        self._roots = roots
        self._origin = origin
        self._sources = Sources(settings, roots, deep=True)
        self._stored = Uploads(settings.uploads_dir)
        self._offered = Uploads(options.uploads, read_only=True) if options.uploads else None
        self._options = options

    def select(self, rows: Sequence[ImportedImage]) -> list[ImportedImage]:
        """Return the images to import, with the sources that they keep."""
        if self._options.without_bytes:
            return [self._whole_row(row) for row in rows]
        kept = (replace(row, sources=self._kept(row)) for row in rows)
        return [row for row in kept if row.sources]

    def _whole_row(self, row: ImportedImage) -> ImportedImage:
        """Return an image with all its sources, after copying its upload if it is available."""
        kept = set(self._kept(row))
        sources = (each if each in kept else self._elsewhere(each) for each in row.sources)
        return replace(row, sources=tuple(sources))

    def _elsewhere(self, source: SourceRecord) -> SourceRecord:
        """Rename the root of a source without bytes here, if another folder here has its name."""
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
        """Copy an upload from the folder in the options."""
        if self._offered is None:
            return False
        if self._options.dry_run:
            return digest in set(self._offered.stored())
        return copy_upload(self._offered, self._stored, digest)


def _commit(
    catalogue: Catalogue, collection: CollectionRecord, rows: Sequence[ImportedImage]
) -> int:
    """Write some images in one transaction, and return how many of them were new."""
    with catalogue.database.writing() as connection:
        revision = next_revision(connection, collection.id)
        ids = ids_by_digest(connection, collection.id, {row.sha256 for row in rows})
        new = [_new(row, collection.space) for row in rows if row.sha256 not in ids]
        ids |= add_images(connection, collection.id, revision, new)
        source_rows = [
            {
                "image_id": ids[row.sha256],
                "kind": source.kind,
                "root": source.root,
                "path": source.path,
                "sha256": row.sha256,
            }
            for row in rows
            for source in row.sources
        ]
        reserve(connection, {source.root for row in rows for source in row.sources} - {""})
        if source_rows:
            connection.execute(insert_or_ignore(connection, sources), source_rows)
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
        lines.append(f"{counts['known']} were imported or indexed earlier")
    if counts["left_out"]:
        lines.append(
            f"{counts['left_out']} were left out, because no source here has their bytes; "
            "--uploads FOLDER supplies uploads, --without-bytes imports them without bytes"
        )
    if not options.dry_run:
        lines.append("the next start of the service adds them to the index")
    record: dict[str, object] = {name: counts[name] for name in ("new", "known", "left_out")}
    return Answer(record, tuple(lines), FINDINGS if counts["left_out"] else CLEAN)
