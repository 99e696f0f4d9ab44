"""Removing sources, and images with their last source."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from bento_service.catalogue.database import slices, write_in
from bento_service.catalogue.images.images import mark_deleted
from bento_service.catalogue.images.lookup import living_in
from bento_service.catalogue.jobs.records import FileRecord, JobRecord, Reading
from bento_service.catalogue.spellings import spellings
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import images, sources

_CLOCK_NS = 3 * 10**9  # file systems store times as coarsely as 2 s
_BEFORE_READINGS = timedelta(hours=1)
"""Longest time between reading a file and indexing it, for sources without `read_ns`."""


def remove_sources(
    connection: Connection, collection_id: int, revision: int, source_ids: Set[int]
) -> int:
    """Remove sources; mark images that have no other source as deleted, and return how many."""
    by_image = _all_sources(connection, source_ids)
    orphans = {image_id for image_id, own in by_image.items() if own <= source_ids}
    # A tombstone keeps its sources, since they name the uploads that become unneeded.
    kept = set().union(*(by_image[image_id] for image_id in orphans))
    write_in(connection, delete(sources), sources.c.id, source_ids - kept)
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


@dataclass(frozen=True)
class Replaced:
    """Sources at paths whose files have other bytes now: ids of those that changed.

    `other_files` has the paths of other files, such as those of another disk in the same place.
    """

    changed: set[int]
    other_files: set[str]


def replaced_sources(
    connection: Connection,
    job: JobRecord,
    collection_id: int,
    read: Mapping[str, tuple[str, Reading | None]],
) -> Replaced:
    """Find the sources that have other bytes now, because their files changed or are others.

    A file on another file system is another file. So is a file that has not changed since another
    one was read at its path: it existed in another place then, and its disk was mounted there
    since, or its folder was moved there. The file that was indexed before is not gone then.

    `read` has the digest of the bytes that the job read, and the time of reading, by path.
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

    File systems have coarse clocks, so a file can seem to change shortly before it was read, and
    the clock of a server can be behind. Without `read_ns`, the time is derived from that of
    indexing.
    """
    if read_ns is not None:
        return read_ns - _CLOCK_NS
    return int((created_at - _BEFORE_READINGS).timestamp() * 10**9)


def sources_to_delete(
    connection: Connection, job: JobRecord, collection_id: int, entry: FileRecord
) -> set[int]:
    """Return the sources that an entry deletes: those at a path, or all of an image."""
    if entry.image_id is None and entry.sha256 is None:
        rows = connection.execute(_at_paths(job, collection_id, spellings(entry.path))).all()
        exact = {row.id for row in rows if row.path == entry.path}
        return exact or {row.id for row in rows}
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
            living_in(collection_id),
            sources.c.kind == SourceKind.FILE,
            sources.c.root == job.root,
            sources.c.path.in_(list(paths)),
        )
    )
