"""Ingest jobs as rows: one a job and one a file, so that a crash loses no more than its batch."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, case, insert, select, update

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.dry_runs import settle_checked
from bento_service.catalogue.listing import list_files
from bento_service.catalogue.records import (
    FailureRecord,
    FileRecord,
    JobRecord,
    NewFile,
    NewJob,
    Outcome,
    Settled,
)
from bento_service.catalogue.settling import settle_files, settle_reindexed
from bento_service.catalogue.tables import (
    OPEN_STATES,
    FileAction,
    FileState,
    SourceKind,
    job_files,
    jobs,
)
from bento_service.errors import CollectionNotFound, JobNotFound
from client_sdk.schemas import JobState

all_done = and_(
    jobs.c.walked,
    jobs.c.indexed + jobs.c.duplicates + jobs.c.failed >= jobs.c.total,
    jobs.c.removals_open == 0,
)
"""Whether a job has nothing left to do."""


class Jobs:
    """The `jobs` and `job_files` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, collection_id: int, collection: str, job: NewJob) -> JobRecord:
        """Put a job on the list. An upload's files are all known; a folder is walked later."""
        with self._database.writing() as connection:
            number, job_id = add_job(connection, collection_id, collection, job)
            if job.files:
                list_files(connection, number, job.files)
                complete_if_done(connection, number)  # where all of them were refused
        return self.get(job_id)

    def get(self, job_id: str) -> JobRecord:
        """A job.

        Raises:
            JobNotFound: There is none with that id.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
        if row is None:
            raise JobNotFound(f"there is no job {job_id!r}; GET /api/v2/jobs lists them")
        return _record(row)

    def page(self, *, before: int | None, limit: int) -> list[JobRecord]:
        """Jobs, newest first, those with a number below `before`."""
        statement = select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if before is not None:
            statement = statement.where(jobs.c.number < before)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement)]

    def open(self) -> list[JobRecord]:
        """Jobs that still have work, oldest first."""
        statement = select(jobs).where(jobs.c.state.in_(OPEN_STATES)).order_by(jobs.c.number)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement)]

    def failures(self, number: int, *, after: int, limit: int) -> list[FailureRecord]:
        """Failed files of a job in the order of its list, those with an id above `after`."""
        statement = (
            select(job_files)
            .where(
                job_files.c.job_number == number,
                job_files.c.state == FileState.FAILED,
                job_files.c.id > after,
            )
            .order_by(job_files.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [
                FailureRecord(row.id, row.path, row.code, row.detail)
                for row in connection.execute(statement)
            ]

    def todo(self, number: int, *, after: int, limit: int) -> list[FileRecord]:
        """Files of a job that nothing was done with yet, those with an id above `after`."""
        statement = (
            select(*(job_files.c[one.name] for one in fields(FileRecord)))
            .where(
                job_files.c.job_number == number,
                job_files.c.state == FileState.TODO,
                job_files.c.id > after,
            )
            .order_by(job_files.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [
                FileRecord(**{**row._mapping, "action": FileAction(row.action)})
                for row in connection.execute(statement)
            ]

    def start(self, number: int) -> None:
        """A pending job is in progress from now on."""
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.number == number, jobs.c.state == JobState.PENDING)
                .values(state=JobState.IN_PROGRESS, started_at=datetime.now(UTC))
            )

    def add_files(self, number: int, files: Sequence[NewFile]) -> None:
        """Put files on a job's list; those that are on it already are left alone.

        Those of which the collection holds an unchanged source are done with at once.
        """
        with self._database.writing() as connection:
            list_files(connection, number, files)

    def finish_walk(self, number: int) -> None:
        """The list is whole; a job with nothing left to do is completed, except a reindex."""
        with self._database.writing() as connection:
            connection.execute(update(jobs).where(jobs.c.number == number).values(walked=True))
            complete_if_done(connection, number)

    def fail(self, number: int, detail: str) -> None:
        """The job cannot go on."""
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.number == number, jobs.c.state.in_(OPEN_STATES))
                .values(state=JobState.FAILED, detail=detail, finished_at=datetime.now(UTC))
            )

    def settle(self, job: JobRecord, outcomes: Sequence[Outcome]) -> Settled:
        """Commit what became of some files: images, sources, states and counters, all or none.

        Files that were settled before are left alone, so a commit of which it is not known
        whether it went through can be repeated.

        Raises:
            CollectionNotFound: The collection was deleted.
            Conflict: It serves a descriptor version that was not computed.
        """
        if job.collection_id is None:
            raise CollectionNotFound(f"collection {job.collection!r} was deleted")
        with self._database.writing() as connection:
            if job.dry_run:
                settled = settle_checked(connection, job, outcomes, job.collection_id)
            else:
                revision = next_revision(connection, job.collection_id)
                where = {"collection_id": job.collection_id, "revision": revision}
                if job.kind is SourceKind.REINDEX:
                    settled = settle_reindexed(connection, outcomes, **where)
                else:
                    settled = settle_files(connection, job, outcomes, **where)
            _count(connection, job.number, settled)
            complete_if_done(connection, job.number)
            return settled


def add_job(
    connection: Connection, collection_id: int, collection: str, job: NewJob
) -> tuple[int, str]:
    """Put a job on the list without its files; its number and its id."""
    job_id = uuid4().hex
    number = connection.execute(
        insert(jobs)
        .values(
            id=job_id,
            collection_id=collection_id,
            collection=collection,
            kind=job.kind,
            root=job.root,
            path=job.path,
            recursive=job.recursive,
            ignore=list(job.ignore),
            metadata=job.metadata,
            state=JobState.PENDING,
            walked=job.kind is SourceKind.UPLOAD,
            dry_run=job.dry_run,
            prune=job.prune,
            verify_bytes=job.verify_bytes,
            manifest=job.manifest,
            manifest_name=job.manifest_name,
            removals_open=int(job.prune),
            created_at=datetime.now(UTC),
        )
        .returning(jobs.c.number)
    ).scalar_one()
    return number, job_id


def close_job(connection: Connection, which: Any, state: JobState, detail: str | None) -> None:
    """End the open jobs that a condition is true of."""
    now = datetime.now(UTC)
    connection.execute(
        update(jobs)
        .where(which, jobs.c.state.in_(OPEN_STATES))
        .values(
            state=state,
            detail=detail,
            finished_at=now,
            started_at=case((jobs.c.started_at.is_(None), now), else_=jobs.c.started_at),
        )
    )


def _count(connection: Connection, number: int, settled: Settled) -> None:
    connection.execute(
        update(jobs)
        .where(jobs.c.number == number)
        .values(
            total=jobs.c.total + settled.added,
            indexed=jobs.c.indexed + settled.indexed,
            duplicates=jobs.c.duplicates + settled.duplicates,
            failed=jobs.c.failed + settled.failed,
            removed=jobs.c.removed + settled.removed,
            removals_open=jobs.c.removals_open - settled.removals,
        )
    )


def complete_if_done(connection: Connection, number: int) -> None:
    """End a job that has nothing left to do, except a reindex."""
    # A reindex has its index checked and switched to after the last of its files.
    is_one = and_(jobs.c.number == number, jobs.c.kind != SourceKind.REINDEX)
    close_job(connection, and_(is_one, all_done), JobState.COMPLETED, None)


def _record(row: Row[Any]) -> JobRecord:
    values = {**row._mapping}
    values["kind"] = SourceKind(row.kind)
    values["state"] = JobState(row.state)
    values["ignore"] = tuple(row.ignore)
    return JobRecord(**values)
