"""`import`: images with descriptors from Parquet files into a collection.

The files are imported one after another. Each is checked before its first image is written, and its
images are committed in batches. An import that was interrupted runs again: images that the
collection has with all their sources are skipped, and a file of only such images is not read beyond
their digests and sources. Rows with the same digest are one image with the sources of all of them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bento_service.admin.answer import Answer, Refusal
from bento_service.admin.data import locked, opened_catalogue, service_stopped, sqlite_file
from bento_service.admin.interchange import ImageFile, image_files
from bento_service.admin.progress import stage
from bento_service.admin.rows import Places, checked_rows, rows_of_sources
from bento_service.admin.selection import ImportOptions, Selection
from bento_service.catalogue import Catalogue
from bento_service.catalogue.images.loading import load_images, unsettled
from bento_service.catalogue.jobs.records import NewImage
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace
from bento_service.errors import CollectionNotFound
from bento_service.settings import Settings
from bento_service.storage.root_bindings import bound_roots, planned_roots

_HELD_ROWS = 10_000
"""Most rows of a file that is read once and held in memory; larger files are read twice."""


def import_images(settings: Settings, path: Path, options: ImportOptions) -> Answer:
    """Import a file or a folder; the exit code is `FINDINGS` if images without bytes were left out.

    With PostgreSQL a service may run meanwhile, unless uploads are to be copied.
    """
    files = image_files(path)
    space = files[0].space
    is_shared = sqlite_file(settings) is None and options.uploads is None
    with _access(settings, options, is_shared=is_shared) as catalogue:
        _check_space(catalogue, space, options.collection)
        bind = planned_roots if options.dry_run or is_shared else bound_roots
        selection = Selection(
            settings,
            options,
            bind(catalogue, settings.image_roots),
            own=catalogue.collections.instance_id(),
        )
        importing = _Importing(catalogue, selection, options)
        with stage("images", sum(file.rows for file in files), "images") as advance:
            for count in importing.run(files):
                advance(count)
    return _answer(importing, len(files), options)


@contextmanager
def _access(settings: Settings, options: ImportOptions, *, is_shared: bool) -> Iterator[Catalogue]:
    """Open the catalogue, and create a missing one; lock the data folder unless it is shared."""
    if options.dry_run and not is_shared and not settings.data_dir.is_dir():
        raise Refusal(f"there is no data folder {settings.data_dir}; set LOOKALIKE_DATA_DIR")
    with ExitStack() as stack:
        if sqlite_file(settings) is not None:
            refusal = f"a service or another command uses {settings.data_dir}; stop the service"
            stack.enter_context(locked(settings.data_dir, refusal))
        catalogue = stack.enter_context(opened_catalogue(settings, create=not options.dry_run))
        if sqlite_file(settings) is None and not is_shared:
            stack.enter_context(service_stopped(settings))
        yield catalogue


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


class _Importing:
    """The import of several files into one collection; `skipped` files were imported before."""

    def __init__(self, catalogue: Catalogue, selection: Selection, options: ImportOptions) -> None:
        self._catalogue = catalogue
        self.selection = selection
        self._options = options
        self._collection: CollectionRecord | None = None
        with suppress(CollectionNotFound):
            self._collection = catalogue.collections.named(options.collection)
        self.counts: Counter[str] = Counter()
        self.skipped = 0

    def run(self, files: Sequence[ImageFile]) -> Iterator[int]:
        """Import files, and yield the numbers of rows that were processed.

        While the database writes a batch, the next one is read, checked and selected in a thread.
        No image of a file with an invalid row is written.
        """
        for batch in _read_ahead(self._batches(files)):
            self._import(batch)
            yield batch.rows
        self._target(files[0].space)  # files without rows give an empty collection

    def _batches(self, files: Sequence[ImageFile]) -> "Iterator[_Batch]":
        for file in files:
            with file.opened() as parquet:
                if file.rows and self._is_imported(parquet):
                    self.skipped += 1
                    yield _Batch(file.space, file.rows)
                    continue
                for rows in _checked(file, parquet):
                    wanted = [(row.sha256, row.sources) for row in rows]
                    missing = [rows[position] for position in self._missing(wanted)]
                    selected = self.selection.select(missing, file.origin)
                    left_out = len(missing) - len(selected)
                    yield _Batch(file.space, len(rows), selected, left_out)

    def _is_imported(self, parquet: object) -> bool:
        return all(not self._missing(rows) for rows in rows_of_sources(parquet))

    def _target(self, space: DescriptorSpace) -> CollectionRecord | None:
        """Return the collection, after creating it unless nothing may be changed."""
        if self._collection is None and not self._options.dry_run:
            name = self._options.collection
            self._collection = self._catalogue.collections.ensure(name, space)
        return self._collection

    def _missing(self, wanted: Sequence[tuple[str, Places]]) -> list[int]:
        """Return the positions of images that the collection lacks, or has without a source.

        The others get the bytes of their uploads.
        """
        if self._collection is None:
            return list(range(len(wanted)))
        with self._catalogue.database.reading() as connection:
            missing = unsettled(connection, self._collection.id, wanted)
        known = set(range(len(wanted))).difference(missing)
        self.selection.complete(wanted[position] for position in known)
        return missing

    def _import(self, batch: "_Batch") -> None:
        collection = self._target(batch.space) if batch.selected else None
        new = len({row.sha256 for row in batch.selected})
        if collection is not None and not self._options.dry_run:
            with self._catalogue.database.writing() as connection:
                new = load_images(connection, collection, batch.selected)
        known = batch.rows - new - batch.left_out
        self.counts.update(new=new, known=known, left_out=batch.left_out)


@dataclass(frozen=True)
class _Batch:
    """Checked rows of a file, and the images to import; `left_out` counts those without bytes."""

    space: DescriptorSpace
    rows: int
    selected: Sequence[NewImage] = ()
    left_out: int = 0


def _checked(file: ImageFile, parquet: object) -> Iterator[list[NewImage]]:
    """Yield the rows of a file in batches, the first one after all of them were checked."""
    if file.rows <= _HELD_ROWS:
        yield from list(checked_rows(parquet, file.space.fingerprint))
        return
    for _ in checked_rows(parquet, file.space.fingerprint):
        pass
    yield from checked_rows(parquet, file.space.fingerprint)


def _read_ahead(items: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield items of which the next one is made in a thread meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item


def _answer(importing: _Importing, files: int, options: ImportOptions) -> Answer:
    counts = importing.counts
    verb = "would import" if options.dry_run else "imported"
    lines = [f"{verb} {counts['new']} images into {options.collection}"]
    if counts["known"]:
        lines.append(f"{counts['known']} were imported or indexed earlier, or are repeated")
    if copied := len(importing.selection.copied):
        were = "would be" if options.dry_run else "were"
        lines.append(f"the bytes of {copied} of those {were} copied from {options.uploads}")
    if importing.skipped and files > 1:
        lines.append(f"{importing.skipped} of {files} shards were imported earlier")
    if counts["left_out"]:
        lines.append(
            f"{counts['left_out']} were left out, because no source here has their bytes; "
            "--uploads FOLDER supplies uploads, --without-bytes imports them without bytes"
        )
    if not options.dry_run:
        lines.append("a running service adds them to the index, otherwise its next start")
    record: dict[str, object] = {name: counts[name] for name in ("new", "known", "left_out")}
    return Answer(record, lines, is_clean=not counts["left_out"])
