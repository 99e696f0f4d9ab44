"""The three-way comparison: files, catalogue, index. It changes nothing."""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Column, Connection, exists, select

from bento_service.admin.findings import Findings, Kind
from bento_service.admin.index import is_due, own_indexes
from bento_service.admin.needed import queued_uploads
from bento_service.admin.progress import stage
from bento_service.admin.sources import Sources, SourceState, certainly_lost
from bento_service.catalogue import Catalogue
from bento_service.catalogue.records import CollectionRecord, ImageRecord, IndexRecord, SourceRecord
from bento_service.catalogue.tables import metadata
from bento_service.errors import ImageNotFound, IndexUnavailable
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.checks import compare_rows
from bento_service.pictures.perceptual_hash import restored
from bento_service.settings import Settings
from bento_service.storage.uploads import Uploads

_IMAGES_A_PAGE = 500
_UNIT_TOLERANCE = 1e-3
_DIGEST = re.compile(r"[0-9a-f]{64}")


def examine_catalogue(catalogue: Catalogue, findings: Findings, *, deep: bool) -> None:
    """The database's own check (`deep`: with its indexes), and rows that belong to nothing."""
    with catalogue.database.reading() as connection:
        if connection.dialect.name == "sqlite":
            check = "integrity_check" if deep else "quick_check"
            for (message,) in connection.exec_driver_sql(f"PRAGMA {check}(100)"):
                if message != "ok":
                    findings.add(Kind.CATALOGUE_DAMAGED, str(message))
        for child, key in dangling(connection):
            findings.add(Kind.ROW_DANGLING, f"{child.table.name}: there is no {child.name} {key}")


def dangling(connection: Connection) -> Iterator[tuple[Column[Any], int]]:
    """Rows whose foreign key leads nowhere: its column, and what is in it."""
    for table in metadata.sorted_tables:
        for foreign_key in table.foreign_keys:
            child, parent = foreign_key.parent, foreign_key.column
            statement = select(child).where(
                child.is_not(None), ~exists().where(parent == child).correlate(table)
            )
            for key in connection.execute(statement).scalars().all():
                yield child, key


def examine_images(
    catalogue: Catalogue,
    collections: Sequence[CollectionRecord],
    sources: Sources,
    findings: Findings,
    *,
    deep: bool,
) -> None:
    """Every image against the places where its bytes were found."""
    total = sum(catalogue.images.count(collection.id) for collection in collections)
    with stage("images", total, "images") as advance:
        for collection in collections:
            indexes = catalogue.indexes.of(collection.id) if deep else []
            for page in _pages(catalogue, collection):
                _examine_hashes(catalogue, collection, page, findings)
                for image in page:
                    _examine_sources(collection, image, sources, findings)
                    for index in indexes:
                        _examine_descriptor(catalogue, index, image, findings)
                findings.checked["images"] += len(page)
                advance(len(page))


def _pages(catalogue: Catalogue, collection: CollectionRecord) -> Iterator[list[ImageRecord]]:
    after = 0
    while page := catalogue.images.page(collection.id, after=after, limit=_IMAGES_A_PAGE):
        yield page
        after = page[-1].id


def _examine_sources(
    collection: CollectionRecord, image: ImageRecord, sources: Sources, findings: Findings
) -> None:
    found = {source: sources.state(source, image.sha256, image.bytes) for source in image.sources}
    findings.checked["sources"] += len(found)
    whose = f"image {image.id} of {collection.name}"
    bad = [f"{_shown(source)} is {state}" for source, state in found.items() if state != "whole"]
    if SourceState.WHOLE in found.values():
        for one in bad:
            findings.add(Kind.SOURCE_LOST, f"{whose}: {one}")
    elif certainly_lost(found.values()):
        findings.add(Kind.IMAGE_LOST, f"{whose}: {'; '.join(bad) or 'it has no source'}")
        findings.lost.setdefault(collection.id, []).append(image.id)
    else:
        findings.add(Kind.IMAGE_OUT_OF_REACH, f"{whose}: {'; '.join(bad)}")


def _shown(source: SourceRecord) -> str:
    path = os.fsencode(source.path).decode("utf-8", "replace")
    return f"{source.root}/{path}" if source.root else f"upload {path}"


def _examine_descriptor(
    catalogue: Catalogue, index: IndexRecord, image: ImageRecord, findings: Findings
) -> None:
    try:
        descriptor = catalogue.images.descriptor(image.id, index.id)
    except ImageNotFound:
        # Another index than the one that serves may lack images.
        if not index.serves or image.id not in catalogue.images.by_ids([image.id]):
            return
        descriptor = np.empty(0, np.float32)
    except ValueError:  # not a whole number of components
        descriptor = np.empty(0, np.float32)
    length = float(np.linalg.norm(descriptor))
    if descriptor.size != index.space.dimension or not abs(length - 1) < _UNIT_TOLERANCE:
        findings.add(
            Kind.DESCRIPTOR_DAMAGED,
            f"image {image.id} of {_shown_index(index)}: {descriptor.size} components, "
            f"length {length:.3g}",
        )


def _examine_hashes(
    catalogue: Catalogue,
    collection: CollectionRecord,
    page: Sequence[ImageRecord],
    findings: Findings,
) -> None:
    for image_id, hashes in catalogue.hashes.of([image.id for image in page]).items():
        try:
            restored(hashes)
        except ValueError:
            size = len(hashes or b"")
            findings.add(
                Kind.HASHES_DAMAGED, f"image {image_id} of {collection.name}: {size} bytes"
            )
            findings.misshapen.append(image_id)


def _shown_index(index: IndexRecord) -> str:
    """The collection of an index; the descriptor, too, of one that searches do not use."""
    return index.collection if index.serves else f"{index.collection} in {index.space.descriptor}"


def examine_uploads(settings: Settings, catalogue: Catalogue, findings: Findings) -> None:
    """Stored uploads that nobody needs, and those that a job waits for in vain."""
    uploads = Uploads(settings.uploads_dir, read_only=True)
    names = set(uploads.stored())
    stored = {name for name in names if _DIGEST.fullmatch(name)}
    findings.checked["uploads"] += len(stored)
    for name in sorted(names - stored):
        findings.add(Kind.UPLOAD_STRAY, name)
    # Asked after the listing: what arrived in between is in neither.
    since = settings.retriable_since()
    for digest in sorted(catalogue.upload_references.unneeded(stored, ended_after=since)):
        findings.add(Kind.UPLOAD_UNNEEDED, digest)
    with catalogue.database.reading() as connection:
        waiting = queued_uploads(connection) - stored
    for digest in sorted(waiting):
        if not _is_stored(uploads, digest):
            findings.add(Kind.QUEUED_UPLOAD_LOST, digest)


def _is_stored(uploads: Uploads, digest: str) -> bool:
    try:
        uploads.open(digest).close()
    except (ImageNotFound, OSError):
        return False
    return True


def examine_indexes(
    catalogue: Catalogue,
    collections: Sequence[CollectionRecord],
    gallery: MilvusGallery | None,
    findings: Findings,
) -> None:
    """Every index against the catalogue; `None` where there is no folder of Milvus Lite.

    Raises:
        IndexUnavailable: Milvus does not answer.
    """
    present, left_over = _listed(catalogue, gallery)
    for name in sorted(left_over):
        findings.add(Kind.INDEX_LEFT_OVER, name)
    indexes = [index for one in collections for index in catalogue.indexes.of(one.id)]
    with stage("indexes", len(indexes), "indexes") as advance:
        for index in indexes:
            findings.checked["indexes"] += 1
            if gallery is not None and index.name in present:
                _examine_rows(catalogue, gallery, index, findings)
            elif is_due(index):
                findings.add(Kind.INDEX_MISSING, f"of {_shown_index(index)}")
            advance(1)


def _listed(catalogue: Catalogue, gallery: MilvusGallery | None) -> tuple[set[str], set[str]]:
    """Indexes that may be looked at, and those left over."""
    if gallery is None:
        return set(), set()
    return own_indexes(catalogue, gallery)


def _examine_rows(
    catalogue: Catalogue, gallery: MilvusGallery, index: IndexRecord, findings: Findings
) -> None:
    whose = _shown_index(index)
    try:
        gallery.load(index.name)
        rows = compare_rows(catalogue, gallery, index)
    except IndexUnavailable:
        if not gallery.answers:
            raise
        findings.add(Kind.INDEX_DAMAGED, f"of {whose}")
        return
    findings.checked["index rows"] += rows.rows
    for image_id in sorted(rows.missing):
        findings.add(Kind.INDEX_ROW_MISSING, f"image {image_id} of {whose}")
    for image_id in sorted(rows.unknown):
        findings.add(Kind.INDEX_ROW_UNKNOWN, f"id {image_id} in the index of {whose}")
