"""Queries for the uploads that a catalogue needs."""

from sqlalchemy import Connection, inspect, select

from bento_service.catalogue.states import OPEN_STATES, FileState, SourceKind
from bento_service.catalogue.tables import images, job_files, jobs, sources


def needed_uploads(connection: Connection) -> set[str]:
    """Return the digests of the uploads that an undeleted image or an open job needs."""
    statement = (
        select(sources.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(sources.c.kind == SourceKind.UPLOAD, ~images.c.deleted)
        .distinct()
    )
    return set(connection.execute(statement).scalars()) | queued_uploads(connection)


def queued_uploads(connection: Connection) -> set[str]:
    """Return the digests of the pictures and manifests that open jobs have yet to read."""
    statement = (
        select(job_files.c.sha256)
        .join(jobs, jobs.c.number == job_files.c.job_number)
        .where(
            job_files.c.state == FileState.TODO,
            job_files.c.sha256.is_not(None),
            jobs.c.kind == SourceKind.UPLOAD,  # a reindex has digests of images of all kinds
            jobs.c.state.in_(OPEN_STATES),
        )
        .distinct()
    )
    return set(connection.execute(statement).scalars()) | _manifests(connection)


def _manifests(connection: Connection) -> set[str]:
    columns = inspect(connection).get_columns(jobs.name)
    if all(column["name"] != jobs.c.manifest.name for column in columns):
        return set()  # a backup of a release without manifests
    statement = select(jobs.c.manifest).where(
        jobs.c.manifest.is_not(None), ~jobs.c.walked, jobs.c.state.in_(OPEN_STATES)
    )
    return set(connection.execute(statement).scalars())
