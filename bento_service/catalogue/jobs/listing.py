"""Adding entries to the list of a job; files that are known to be unchanged are done at once."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from bento_service.catalogue.database import insert_or_ignore, slices, write_in
from bento_service.catalogue.jobs.records import NewFile, Stamp
from bento_service.catalogue.states import FileAction, FileState, SourceKind
from bento_service.catalogue.tables import images, job_files, jobs, sources


def list_files(connection: Connection, number: int, files: Sequence[NewFile]) -> None:
    """Add entries to the list of a job; skip those that are on it already."""
    if not files:
        return
    unchanged = _unchanged(connection, number, [file for file in files if file.stamp is not None])
    inserting = insert_or_ignore(connection, job_files).returning(
        job_files.c.state, job_files.c.action
    )
    added = connection.execute(inserting, [_row(number, file, unchanged) for file in files]).all()
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
    if file.action is FileAction.REFUSED:
        state = FileState.FAILED
    row = {**vars(file), "job_number": number, "state": state}
    del row["stamp"], row["volume"]
    return row


def _unchanged(connection: Connection, number: int, files: Sequence[NewFile]) -> set[str]:
    """Return the keys of files that have the stamp with which they were indexed."""
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
    for volume, ids in moved.items():  # the files of a disk were copied to another one
        write_in(connection, update(sources).values(volume=volume), sources.c.id, ids)
    return keys


def _known_sources(
    connection: Connection, number: int, paths: Iterable[str]
) -> dict[tuple[str, Stamp | None], Any]:
    """Return the sources at these paths in a job's root, by path and stamp."""
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
