"""Removing sources, and images with their last source."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from bento_service.catalogue.database import slices
from bento_service.catalogue.images.images import living_in, mark_deleted
from bento_service.catalogue.jobs.records import FileRecord, JobRecord
from bento_service.catalogue.tables import SourceKind, images, sources


def remove_sources(
    connection: Connection, collection_id: int, revision: int, source_ids: Set[int]
) -> int:
    """Remove sources; mark images that have no other source as deleted.

    Args:
        connection: In a writing transaction.
        collection_id: Of the images.
        revision: Of the collection, raised for this transaction.
        source_ids: Of sources of images that are not deleted.

    Returns:
        How many images were marked.
    """
    by_image = _all_sources(connection, source_ids)
    orphans = {image_id for image_id, own in by_image.items() if own <= source_ids}
    # A tombstone keeps its sources, which tell the uploads that nothing needs any more.
    kept = set().union(*(by_image[image_id] for image_id in orphans))
    for some in slices(sorted(source_ids - kept)):
        connection.execute(delete(sources).where(sources.c.id.in_(some)))
    return mark_deleted(connection, collection_id, revision, sorted(orphans))


def count_orphans(connection: Connection, source_ids: Set[int]) -> int:
    """Return how many images have no source but these."""
    return sum(own <= source_ids for own in _all_sources(connection, source_ids).values())


def _all_sources(connection: Connection, source_ids: Set[int]) -> dict[int, set[int]]:
    """Return all sources of the images that have one of these, by image."""
    by_image: dict[int, set[int]] = {}
    for some in slices(sorted(source_ids)):
        affected = select(sources.c.image_id).where(sources.c.id.in_(some))
        statement = select(sources.c.id, sources.c.image_id).where(sources.c.image_id.in_(affected))
        for row in connection.execute(statement):
            by_image.setdefault(row.image_id, set()).add(row.id)
    return by_image


def replaced_sources(
    connection: Connection, job: JobRecord, collection_id: int, digests: Mapping[str, str]
) -> set[int]:
    """Return the sources of images at paths whose files have other bytes now.

    Args:
        connection: In a transaction.
        job: That read the files, in its root.
        collection_id: Of the images.
        digests: Of the bytes that were read, by path.
    """
    if job.kind is not SourceKind.FILE or not digests:
        return set()
    rows = connection.execute(_at_paths(job, collection_id, digests))
    return {row.id for row in rows if row.sha256 != digests[row.path]}


def sources_to_delete(
    connection: Connection, job: JobRecord, collection_id: int, entry: FileRecord
) -> set[int]:
    """Return the sources that an entry deletes: those at a path, or all of an image."""
    if entry.image_id is None and entry.sha256 is None:
        rows = connection.execute(_at_paths(job, collection_id, [entry.path]))
        return {row.id for row in rows}
    named = images.c.sha256 == entry.sha256
    if entry.image_id is not None:
        named = images.c.id == entry.image_id
    statement = (
        select(sources.c.id)
        .join(images, images.c.id == sources.c.image_id)
        .where(living_in(collection_id), named)
    )
    return set(connection.execute(statement).scalars())


def _at_paths(job: JobRecord, collection_id: int, paths: Iterable[str]) -> Select[Any]:
    return (
        select(sources.c.id, sources.c.path, images.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(
            living_in(collection_id),
            sources.c.kind == SourceKind.FILE,
            sources.c.root == job.root,
            sources.c.path.in_(list(paths)),
        )
    )
