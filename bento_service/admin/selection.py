"""The choice of images to import, and of the sources that they keep.

An image is imported only if one of its sources here has its bytes; other sources are skipped. With
`without_bytes` every image is imported with all its sources. If a source names an image root that
is another folder here, the root is renamed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bento_service.admin.backup import copy_upload
from bento_service.admin.rows import Places
from bento_service.admin.sources import Sources, SourceState
from bento_service.catalogue.jobs.records import NewImage
from bento_service.catalogue.records import SourceRecord
from bento_service.catalogue.states import SourceKind
from bento_service.settings import Settings
from bento_service.storage.blob_stores import open_blob_store
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.image_roots import ImageRoots


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Options of `import`, which its `--help` explains."""

    collection: str
    uploads: Path | None = None
    by_size: bool = False
    without_bytes: bool = False
    dry_run: bool = False


class Selection:
    """The choice of images to import, and of their sources.

    `own` is the identity of this catalogue.
    """

    def __init__(
        self, settings: Settings, options: ImportOptions, roots: ImageRoots, *, own: str
    ) -> None:
        self._roots = roots
        self._own = own
        self._sources = Sources(settings, roots, deep=not options.by_size)
        self._stored = open_blob_store(settings)
        self._offered = FolderBlobStore(options.uploads) if options.uploads else None
        self._options = options
        self.copied: set[str] = set()
        """The uploads of known images that were not stored here; see `complete`."""

    def select(self, rows: Sequence[NewImage], origin: str) -> list[NewImage]:
        """Return the images to import, with the sources that they keep.

        `origin` is the identity of the catalogue that wrote the file.
        """
        if self._options.without_bytes:
            return [self._whole_row(row, origin) for row in rows]
        kept = (replace(row, sources=self._kept(row)) for row in rows)
        return [row for row in kept if row.sources]

    def complete(self, known: Iterable[tuple[str, Places]]) -> None:
        """Copy the uploads of images that the collection has without bytes.

        Each image is given by its digest and its sources.
        """
        if self._offered is None:
            return
        uploads = {
            sha256
            for sha256, places in known
            if any(source.kind is SourceKind.UPLOAD for source in places)
        }
        lacking = uploads - self._stored.sizes(uploads).keys()
        self.copied.update(filter(self._fetch, lacking))

    def _whole_row(self, row: NewImage, origin: str) -> NewImage:
        """Return an image with all its sources, after copying its upload if it is available."""
        kept = set(self._kept(row))
        sources = tuple(
            each if each in kept else self._elsewhere(each, origin) for each in row.sources
        )
        return row if sources == row.sources else replace(row, sources=sources)

    def _elsewhere(self, source: SourceRecord, origin: str) -> SourceRecord:
        """Rename the root of a source without bytes here, if another folder here has its name."""
        is_other = origin != self._own and source.root in self._roots.names
        if source.kind is SourceKind.UPLOAD or not is_other:
            return source
        return replace(source, root=f"{source.root}@{(origin or 'import')[:8]}")

    def _kept(self, row: NewImage) -> tuple[SourceRecord, ...]:
        return tuple(
            source
            for source in row.sources
            if self._sources.state(source, row.sha256, row.described.bytes) is SourceState.WHOLE
            or (source.kind is SourceKind.UPLOAD and self._fetch(row.sha256))
        )

    def _fetch(self, digest: str) -> bool:
        """Copy an upload from the folder in the options."""
        if self._offered is None:
            return False
        if self._options.dry_run:
            return digest in self._offered.sizes([digest])
        return copy_upload(self._offered, self._stored, digest)
