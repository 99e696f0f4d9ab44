"""Read-only checks of files, catalogue and index against each other."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Column, Connection, exists, select

from bento_service.admin.findings import Findings, Kind
from bento_service.admin.index import own_indexes
from bento_service.admin.needed import queued_uploads
from bento_service.admin.progress import stage
from bento_service.admin.rows import UNIT_TOLERANCE
from bento_service.admin.sources import Sources, SourceState
from bento_service.catalogue import Catalogue
from bento_service.catalogue.columns import metadata
from bento_service.catalogue.records import CollectionRecord, ImageRecord, IndexRecord, SourceRecord
from bento_service.errors import ImageNotFound, IndexUnanswered, IndexUnavailable
from bento_service.gallery.gallery import Gallery
from bento_service.indexing.checks import compare_rows
from bento_service.pictures import miniature
from bento_service.pictures.perceptual_hash import restored
from bento_service.settings import Settings
from bento_service.storage.blob_stores import open_blob_store
from bento_service.storage.digests import is_digest

_IMAGES_A_PAGE = 500


def examine_catalogue(catalogue: Catalogue, findings: Findings, *, deep: bool) -> None:
    """Run the database's own check (`deep`: with its indexes), and find dangling rows."""
    with catalogue.database.reading() as connection:
        if connection.dialect.name == "sqlite":
            check = "integrity_check" if deep else "quick_check"
            for (message,) in connection.exec_driver_sql(f"PRAGMA {check}(100)"):
                if message != "ok":
                    findings.add(Kind.CATALOGUE_DAMAGED, str(message))
        for child, key in dangling(connection):
            findings.add(Kind.ROW_DANGLING, f"{child.table.name}: there is no {child.name} {key}")


def dangling(connection: Connection) -> Iterator[tuple[Column[Any], int]]:
    """Yield the column and the value of each foreign key whose row is missing."""
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
    """Compare every image with its sources."""
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
    while page := catalogue.images.page(collection.id, after=(after,), limit=_IMAGES_A_PAGE):
        yield page
        after = page[-1].id


def _examine_sources(
    collection: CollectionRecord, image: ImageRecord, sources: Sources, findings: Findings
) -> None:
    states = {source: sources.state(source, image.sha256, image.bytes) for source in image.sources}
    findings.checked["sources"] += len(states)
    label = f"image {image.id} of {collection.name}"
    bad = [f"{_shown(source)} is {state}" for source, state in states.items() if state != "whole"]
    if SourceState.WHOLE in states.values():
        for problem in bad:
            findings.add(Kind.SOURCE_LOST, f"{label}: {problem}")
    elif all(state in (SourceState.GONE, SourceState.CHANGED) for state in states.values()):
        findings.add(Kind.IMAGE_LOST, f"{label}: {'; '.join(bad) or 'it has no source'}")
        findings.lost.setdefault(collection.id, []).append(image.id)
    else:
        findings.add(Kind.IMAGE_OUT_OF_REACH, f"{label}: {'; '.join(bad)}")


def _shown(source: SourceRecord) -> str:
    path = os.fsencode(source.path).decode("utf-8", "replace")
    return f"{source.root}/{path}" if source.root else f"upload {path}"


def _examine_descriptor(
    catalogue: Catalogue, index: IndexRecord, image: ImageRecord, findings: Findings
) -> None:
    try:
        descriptor = catalogue.images.descriptor(image.id, index.id)
    except ImageNotFound:
        # Only the serving index must have every image.
        if not index.serves or image.id not in catalogue.images.by_ids([image.id]):
            return
        descriptor = np.empty(0, np.float32)
    except ValueError:  # not a whole number of components
        descriptor = np.empty(0, np.float32)
    length = float(np.linalg.norm(descriptor))
    if descriptor.size != index.space.dimension or not abs(length - 1) < UNIT_TOLERANCE:
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
    for image_id, (hashes, small) in catalogue.hashes.both([image.id for image in page]).items():
        try:
            restored(hashes)
            if small is not None:
                miniature.restored(small)
        except ValueError:
            findings.add(
                Kind.HASHES_DAMAGED,
                f"image {image_id} of {collection.name}: hashes of {len(hashes or b'')} bytes, "
                f"a miniature of {len(small or b'')}",
            )
            findings.misshapen.append(image_id)


def _shown_index(index: IndexRecord) -> str:
    """Return an index's collection, with its descriptor if searches do not use the index."""
    return index.collection if index.serves else f"{index.collection} in {index.space.descriptor}"


def examine_uploads(settings: Settings, catalogue: Catalogue, findings: Findings) -> None:
    """Find unneeded stored uploads, and missing uploads that an open job needs."""
    uploads = open_blob_store(settings)
    names = set(uploads.stored())
    stored = {name for name in names if is_digest(name)}
    findings.checked["uploads"] += len(stored)
    for name in sorted(names - stored):
        findings.add(Kind.UPLOAD_STRAY, name)
    # Queried after the listing, so that uploads that arrive in between are in neither.
    since = settings.retriable_since()
    for digest in sorted(catalogue.upload_references.unneeded(stored, ended_after=since)):
        findings.add(Kind.UPLOAD_UNNEEDED, digest)
    with catalogue.database.reading() as connection:
        waiting = queued_uploads(connection) - stored
    for digest in sorted(waiting - uploads.sizes(waiting).keys()):
        findings.add(Kind.QUEUED_UPLOAD_LOST, digest)


def examine_indexes(
    catalogue: Catalogue,
    collections: Sequence[CollectionRecord],
    gallery: Gallery | None,
    findings: Findings,
) -> None:
    """Compare every index with the catalogue; without a folder of Milvus Lite, pass `None`."""
    present, left_over = own_indexes(catalogue, gallery) if gallery else (set(), set())
    for name in sorted(left_over):
        findings.add(Kind.INDEX_LEFT_OVER, name)
    indexes = [index for each in collections for index in catalogue.indexes.of(each.id)]
    with stage("indexes", len(indexes), "indexes") as advance:
        for index in indexes:
            findings.checked["indexes"] += 1
            if gallery is not None and index.name in present:
                _examine_rows(catalogue, gallery, index, findings)
            elif index.applied > 0:  # the first applied change creates the index
                findings.add(Kind.INDEX_MISSING, f"of {_shown_index(index)}")
            advance(1)


def _examine_rows(
    catalogue: Catalogue, gallery: Gallery, index: IndexRecord, findings: Findings
) -> None:
    label = _shown_index(index)
    try:
        gallery.load(index.name)
        rows = compare_rows(catalogue, gallery, index)
    except IndexUnanswered:
        raise
    except IndexUnavailable:
        findings.add(Kind.INDEX_DAMAGED, f"of {label}")
        return
    findings.checked["index rows"] += rows.rows
    for image_id in sorted(rows.missing):
        findings.add(Kind.INDEX_ROW_MISSING, f"image {image_id} of {label}")
    for image_id in sorted(rows.unknown):
        findings.add(Kind.INDEX_ROW_UNKNOWN, f"id {image_id} in the index of {label}")
