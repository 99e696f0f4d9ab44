"""Sources that go, and with the last of its sources the image, in the same transaction."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from bento_service.catalogue.images.images import bury
from bento_service.catalogue.jobs.records import FileRecord, JobRecord, Reading
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import SourceKind, images, sources

_CLOCK_NS = 3 * 10**9  # file systems tell the time as coarsely as 2 s
_BEFORE_READINGS = timedelta(hours=1)
"""An image is indexed at most so long after its first file was read; later releases know when."""


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


@dataclass(frozen=True)
class Replaced:
    """Sources of living images at paths whose files have other bytes now.

    Attributes:
        changed: Ids of those whose file changed.
        other_files: Paths where another file is, such as one of another disk in the same place.
    """

    changed: set[int]
    other_files: set[str]


def replaced(
    connection: Connection,
    job: JobRecord,
    collection_id: int,
    read: Mapping[str, tuple[str, Reading | None]],
) -> Replaced:
    """Find the sources that have other bytes now, because their files changed, or are others.

    A file on another file system is another file. So is one that has not changed since another
    one was read at its path: it existed then in another place, and its disk was mounted there
    since, or its folder moved there. What was indexed before is not gone.

    Args:
        connection: In a transaction.
        job: Whose root the paths are in.
        collection_id: Whose images.
        read: The digest of the bytes that were read, and when that was, by path.
    """
    result = Replaced(set(), set())
    if job.kind is not SourceKind.FILE or not read:
        return result
    for row in connection.execute(_at_paths(job, collection_id, read)):
        sha256, reading = read[row.path]
        if row.sha256 == sha256:
            continue
        if reading is not None and (
            (reading.volume and row.volume and reading.volume != row.volume)
            or reading.changed_ns < read_before(row.read_ns, row.created_at)
        ):
            result.other_files.add(row.path)
        else:
            result.changed.add(row.id)
    return result


def read_before(read_ns: int | None, created_at: datetime) -> int:
    """Return a time, in nanoseconds since 1970, before which a source was certainly not read.

    Clocks of file systems are coarse, so that a file can seem to be changed shortly before it was
    read, and that of a server can be behind.

    Args:
        read_ns: When the source was read last, where that is known.
        created_at: When its image was indexed.
    """
    if read_ns is not None:
        return read_ns - _CLOCK_NS
    return int((created_at - _BEFORE_READINGS).timestamp() * 10**9)


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
        select(
            sources.c.id,
            sources.c.path,
            sources.c.read_ns,
            sources.c.volume,
            images.c.sha256,
            images.c.created_at,
        )
        .join(images, images.c.id == sources.c.image_id)
        .where(
            images.c.collection_id == collection_id,
            ~images.c.deleted,
            sources.c.kind == SourceKind.FILE,
            sources.c.root == job.root,
            sources.c.path.in_(list(paths)),
        )
    )
