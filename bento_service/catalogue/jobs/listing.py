"""Putting entries on the list of a job; what is known to be unchanged is done with at once."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from bento_service.catalogue.database import insert_or_ignore
from bento_service.catalogue.jobs.records import NewFile, Stamp
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import (
    FileAction,
    FileState,
    SourceKind,
    images,
    job_files,
    jobs,
    sources,
)


def list_files(connection: Connection, number: int, files: Sequence[NewFile]) -> None:
    """Put entries on a job's list; those that are on it already are left alone.

    Args:
        connection: In a writing transaction.
        number: Of the job.
        files: The entries.
    """
    if not files:
        return
    unchanged = _unchanged(connection, number, [file for file in files if file.stamp is not None])
    listed = insert_or_ignore(connection, job_files).returning(
        job_files.c.state, job_files.c.action
    )
    added = connection.execute(listed, [_row(number, file, unchanged) for file in files]).all()
    states = [row.state for row in added]
    removals = [row.action for row in added].count(FileAction.DELETE)
    known = states.count(FileState.DUPLICATE)
    connection.execute(
        update(jobs)
        .where(jobs.c.number == number)
        .values(
            total=jobs.c.total + len(added) - removals,
            duplicates=jobs.c.duplicates + known,
            unchanged=jobs.c.unchanged + known,
            failed=jobs.c.failed + states.count(FileState.FAILED),
            removals_open=jobs.c.removals_open + removals,
        )
    )


def _row(number: int, file: NewFile, unchanged: set[str]) -> dict[str, Any]:
    state = FileState.DUPLICATE if file.key in unchanged else FileState.TODO
    return {
        "job_number": number,
        "key": file.key,
        "path": file.path,
        "sha256": file.sha256,
        "state": FileState.FAILED if file.action is FileAction.REFUSED else state,
        "action": file.action,
        "metadata": file.metadata,
        "image_id": file.image_id,
        "code": file.code,
        "detail": file.detail,
    }


def _unchanged(connection: Connection, number: int, files: Sequence[NewFile]) -> set[str]:
    """Keys of the files that are as they were when their bytes were read."""
    keys: set[str] = set()
    moved: dict[str, list[int]] = {}
    for some in slices(files):
        known = _known_sources(connection, number, [file.path for file in some])
        for file in some:
            source = known.get((file.path, file.stamp))
            if source is None:
                continue
            keys.add(file.key)
            if file.volume not in (None, source.volume):
                moved.setdefault(file.volume, []).append(source.id)
    for volume, ids in moved.items():  # as of a disk whose files were copied to another one
        for few in slices(ids):
            where = sources.c.id.in_(few)
            connection.execute(update(sources).where(where).values(volume=volume))
    return keys


def _known_sources(
    connection: Connection, number: int, paths: Iterable[str]
) -> dict[tuple[str, Stamp | None], Any]:
    """What is known of the files at these paths in the collection and root of a job."""
    statement = (
        select(sources.c.id, sources.c.path, sources.c.mtime_ns, sources.c.volume, images.c.bytes)
        .join(images, images.c.id == sources.c.image_id)
        .join(jobs, jobs.c.collection_id == images.c.collection_id)
        .where(
            jobs.c.number == number,
            ~jobs.c.verify_bytes,
            ~images.c.deleted,
            sources.c.kind == SourceKind.FILE,
            sources.c.root == jobs.c.root,
            sources.c.path.in_(paths),
        )
    )
    return {
        (row.path, Stamp(row.bytes, row.mtime_ns)): row
        for row in connection.execute(statement)
        if row.mtime_ns is not None
    }
