"""Which uploads a catalogue needs, said once for all commands."""

from typing import Any

from sqlalchemy import Connection, Select, select

from bento_service.catalogue.tables import (
    OPEN_STATES,
    FileState,
    SourceKind,
    images,
    job_files,
    jobs,
    sources,
)


def needed_uploads(connection: Connection) -> set[str]:
    """Digests of the uploads that a living image or an open job needs."""
    return set(connection.execute(_of_images()).scalars()) | queued_uploads(connection)


def queued_uploads(connection: Connection) -> set[str]:
    """Digests of the uploads that an open job has still to describe, or to read its list from."""
    manifests = select(jobs.c.manifest).where(
        jobs.c.manifest.is_not(None), ~jobs.c.walked, jobs.c.state.in_(OPEN_STATES)
    )
    described = set(connection.execute(_of_jobs()).scalars())
    return described | set(connection.execute(manifests).scalars())


def _of_images() -> Select[Any]:
    return (
        select(sources.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(sources.c.kind == SourceKind.UPLOAD, ~images.c.deleted)
        .distinct()
    )


def _of_jobs() -> Select[Any]:
    return (
        select(job_files.c.sha256)
        .join(jobs, jobs.c.number == job_files.c.job_number)
        .where(
            job_files.c.state == FileState.TODO,
            job_files.c.sha256.is_not(None),
            jobs.c.kind == SourceKind.UPLOAD,  # a reindex knows digests of images of all kinds
            jobs.c.state.in_(OPEN_STATES),
        )
        .distinct()
    )
