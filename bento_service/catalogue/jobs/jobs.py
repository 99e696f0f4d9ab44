"""Ingest jobs as rows: one a job and one a file, so that a crash loses no more than its batch."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, select, update

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.jobs.dry_runs import settle_checked
from bento_service.catalogue.jobs.idempotency_keys import keep, take
from bento_service.catalogue.jobs.listing import list_files
from bento_service.catalogue.jobs.records import (
    Claim,
    FailureRecord,
    FileRecord,
    JobRecord,
    NewFile,
    NewJob,
    Outcome,
    Settled,
)
from bento_service.catalogue.jobs.results import settle_files, settle_reindexed
from bento_service.catalogue.jobs.rows import (
    add_job,
    complete_if_done,
    count,
    hold_open,
    is_open,
    job_record,
    settled_before,
)
from bento_service.catalogue.slices import slices
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

# Asked once a turn of every job, and putting it together takes longer than running it.
_TODO = (
    select(*(job_files.c[one.name] for one in fields(FileRecord)))
    .where(
        job_files.c.job_number == bindparam("number"),
        job_files.c.state == FileState.TODO,
        job_files.c.id > bindparam("after"),
        exists().where(jobs.c.number == bindparam("number"), jobs.c.state.in_(OPEN_STATES)),
    )
    .order_by(job_files.c.id)
    .limit(bindparam("limit"))
)


class Jobs:
    """The `jobs` and `job_files` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, collection_id: int, collection: str, job: NewJob, claim: Claim | None = None
    ) -> JobRecord:
        """Put a job on the list. An upload's files are all known; a folder is walked later.

        Args:
            collection_id: Where its images go.
            collection: The same as a name.
            job: What it is to do.
            claim: The caller's key; under one that was used before, the job of then is returned.

        Raises:
            Conflict: Something else was asked for under that key.
        """
        with self._database.writing() as connection:
            job_id = take(connection, claim)
            if job_id is None:
                number, job_id = add_job(connection, collection_id, collection, job)
                keep(connection, claim, number)
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
        return job_record(row)

    def page(
        self,
        *,
        before: int | None,
        limit: int,
        states: Collection[JobState] = (),
        collection: str | None = None,
    ) -> list[JobRecord]:
        """Jobs, newest first, those with a number below `before`.

        Args:
            before: None for the first page, then the last number of the page before.
            limit: At most so many.
            states: Only jobs in one of these; empty means any.
            collection: Only jobs of the collection of this name.
        """
        statement = select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if before is not None:
            statement = statement.where(jobs.c.number < before)
        if states:
            statement = statement.where(jobs.c.state.in_(states))
        if collection is not None:
            statement = statement.where(jobs.c.collection == collection)
        return self._records(statement)

    def open(self, *, after: int = 0) -> list[JobRecord]:
        """Jobs that still have work, oldest first, those with a number above `after`."""
        is_wanted = and_(jobs.c.state.in_(OPEN_STATES), jobs.c.number > after)
        return self._records(select(jobs).where(is_wanted).order_by(jobs.c.number))

    def among(self, numbers: Sequence[int]) -> list[JobRecord]:
        """The jobs with these numbers, oldest first."""
        statements = (select(jobs).where(jobs.c.number.in_(some)) for some in slices(numbers))
        found = [record for statement in statements for record in self._records(statement)]
        return sorted(found, key=lambda record: record.number)

    def _records(self, statement: Select[Any]) -> list[JobRecord]:
        with self._database.reading() as connection:
            return [job_record(row) for row in connection.execute(statement)]

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
        """Files of an open job that nothing was done with yet, those with an id above `after`."""
        given = {"number": number, "after": after, "limit": limit}
        with self._database.reading() as connection:
            return [
                FileRecord(**{**row._mapping, "action": FileAction(row.action)})
                for row in connection.execute(_TODO, given)
            ]

    def start(self, number: int) -> None:
        """A pending job is in progress from now on."""
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.number == number, jobs.c.state == JobState.PENDING)
                .values(state=JobState.IN_PROGRESS, started_at=datetime.now(UTC))
            )

    def add_files(self, number: int, files: Sequence[NewFile]) -> bool:
        """Put files on an open job's list; those that are on it already are left alone.

        Those of which the collection holds an unchanged source are done with at once. A retry
        leaves out what the job before it has dealt with.

        Returns:
            Whether the job is open, so that more files may follow.
        """
        with self._database.writing() as connection:
            if not hold_open(connection, number):
                return False
            known = settled_before(connection, number, [file.key for file in files])
            list_files(connection, number, [file for file in files if file.key not in known])
            return True

    def finish_walk(self, number: int) -> None:
        """The list is whole; a job with nothing left to do is completed, except a reindex."""
        with self._database.writing() as connection:
            connection.execute(update(jobs).where(is_open(number)).values(walked=True))
            complete_if_done(connection, number)

    def fail(self, number: int, detail: str) -> None:
        """The job cannot go on."""
        with self._database.writing() as connection:
            connection.execute(
                update(jobs)
                .where(is_open(number))
                .values(state=JobState.FAILED, detail=detail, finished_at=datetime.now(UTC))
            )

    def settle(self, job: JobRecord, outcomes: Sequence[Outcome]) -> Settled:
        """Commit what became of some files: images, sources, states and counters, all or none.

        Files that were settled before are left alone, so a commit of which it is not known
        whether it went through can be repeated. So is everything of a job that was closed: after
        it was canceled nothing is committed any more.

        Raises:
            CollectionNotFound: The collection was deleted.
            Conflict: It serves a descriptor version that was not computed.
        """
        if job.collection_id is None:
            raise CollectionNotFound(f"collection {job.collection!r} was deleted")
        with self._database.writing() as connection:
            settled = _settle(connection, job, outcomes, job.collection_id)
            count(connection, job.number, settled)
            complete_if_done(connection, job.number)
            return settled


def _settle(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    if job.dry_run:
        if not hold_open(connection, job.number):
            return Settled.of([])
        return settle_checked(connection, job, outcomes, collection_id)
    revision = next_revision(connection, collection_id)
    if not hold_open(connection, job.number):
        return Settled.of([])
    where = {"collection_id": collection_id, "revision": revision}
    if job.kind is SourceKind.REINDEX:
        return settle_reindexed(connection, outcomes, **where)
    return settle_files(connection, job, outcomes, **where)
