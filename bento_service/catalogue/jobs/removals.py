"""Sources that go, and with the last of its sources the image, in the same transaction."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from bento_service.catalogue.images.images import bury
from bento_service.catalogue.jobs.records import FileRecord, JobRecord
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import SourceKind, images, sources


def remove_sources(
    connection: Connection, collection_id: int, revision: int, doomed: Set[int]
) -> int:
    """Remove sources of living images; images that have no other are deleted.

    Args:
        connection: In a writing transaction.
        collection_id: Whose.
        revision: Of the collection, raised for this transaction.
        doomed: Ids of the sources.

    Returns:
        How many images are deleted.
    """
    held = _sources_beside(connection, doomed)
    orphans = {image_id for image_id, others in held.items() if others <= doomed}
    # A tombstone keeps its sources: they tell which uploads are needed no more.
    kept = set().union(*(held[image_id] for image_id in orphans))
    for some in slices(sorted(doomed - kept)):
        connection.execute(delete(sources).where(sources.c.id.in_(some)))
    return sum(
        bury(connection, collection_id, revision, images.c.id.in_(some))
        for some in slices(sorted(orphans))
    )


def count_orphans(connection: Connection, doomed: Set[int]) -> int:
    """How many images have no source but these."""
    held = _sources_beside(connection, doomed)
    return sum(others <= doomed for others in held.values())


def _sources_beside(connection: Connection, doomed: Set[int]) -> dict[int, set[int]]:
    """All sources of the images that have some of these, by image."""
    held: dict[int, set[int]] = {}
    for some in slices(sorted(doomed)):
        affected = select(sources.c.image_id).where(sources.c.id.in_(some))
        statement = select(sources.c.id, sources.c.image_id).where(sources.c.image_id.in_(affected))
        for row in connection.execute(statement):
            held.setdefault(row.image_id, set()).add(row.id)
    return held


def replaced(
    connection: Connection, job: JobRecord, collection_id: int, digests: Mapping[str, str]
) -> set[int]:
    """Sources of living images at paths whose files have other bytes now.

    Args:
        connection: In a transaction.
        job: Whose root the paths are in.
        collection_id: Whose images.
        digests: Of the bytes that were read, by path.
    """
    if job.kind is not SourceKind.FILE or not digests:
        return set()
    found = connection.execute(_at_paths(job, collection_id, digests))
    return {row.id for row in found if row.sha256 != digests[row.path]}


def meant(
    connection: Connection, job: JobRecord, collection_id: int, entry: FileRecord
) -> set[int]:
    """Sources of living images that an entry deletes: those at a path, or all of an image."""
    if entry.image_id is None and entry.sha256 is None:
        found = connection.execute(_at_paths(job, collection_id, [entry.path]))
        return {row.id for row in found}
    which = images.c.sha256 == entry.sha256
    if entry.image_id is not None:
        which = images.c.id == entry.image_id
    statement = (
        select(sources.c.id)
        .join(images, images.c.id == sources.c.image_id)
        .where(images.c.collection_id == collection_id, ~images.c.deleted, which)
    )
    return set(connection.execute(statement).scalars())


def _at_paths(job: JobRecord, collection_id: int, paths: Iterable[str]) -> Select[Any]:
    return (
        select(sources.c.id, sources.c.path, images.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(
            images.c.collection_id == collection_id,
            ~images.c.deleted,
            sources.c.kind == SourceKind.FILE,
            sources.c.root == job.root,
            sources.c.path.in_(list(paths)),
        )
    )
