"""Canceling jobs and trying again what they did not do."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Connection,
    Row,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from bento_service.catalogue.database import Database
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.jobs.rows import close_job, complete_if_done
from bento_service.catalogue.tables import (
    OPEN_STATES,
    FileAction,
    FileState,
    SourceKind,
    collections,
    indexes,
    job_files,
    jobs,
)
from bento_service.errors import Conflict, JobNotFound
from client_sdk.schemas import JobState

_BEGUN_ANEW = {
    "state": JobState.PENDING,
    "total": 0,
    "indexed": 0,
    "duplicates": 0,
    "failed": 0,
    "unchanged": 0,
    "removed": 0,
    "detail": None,
    "started_at": None,
    "finished_at": None,
}
_OF_ONE_TRY = {"id", "job_number", "state", "code", "detail"}
# Of a file of an ended job: it failed, or was not reached. What was refused would be again.
_was_left = and_(
    job_files.c.state.in_((FileState.FAILED, FileState.TODO)),
    job_files.c.action != FileAction.REFUSED,
)


class JobControl:
    """What people tell jobs to do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancel(self, job_id: str) -> None:
        """End a job that has work left; nothing more of it is committed. Twice is the same as once.

        What a reindex has prepared is dropped.

        Raises:
            JobNotFound: There is none with that id.
            Conflict: It has ended already.
        """
        with self._database.writing() as connection:
            job = _job(connection, job_id)
            which = jobs.c.number == job.number
            if job.kind == SourceKind.REINDEX:  # whose switch holds the collection before the job
                own = collections.c.id == job.collection_id
                connection.execute(select(collections.c.id).where(own).with_for_update())
            if close_job(connection, which, JobState.CANCELED, "canceled"):
                prepared = and_(indexes.c.job_number == job.number, ~indexes.c.ready)
                connection.execute(delete(indexes).where(prepared))
                return
            state = _job(connection, job_id).state
            if state != JobState.CANCELED:
                raise Conflict(
                    f"job {job_id} is {state} already; only a job that waits or is in progress "
                    "can be canceled"
                )

    def check_retriable(self, job: JobRecord) -> None:
        """Check that a job left something to try again, and that nobody does.

        Raises:
            Conflict: It did not, or somebody does.
        """
        with self._database.reading() as connection:
            _refuse_needless(connection, job)

    def retry(self, job: JobRecord) -> str:
        """Put on the list what a job of files failed at or did not reach, as a new job; its id.

        Where the list of files was not whole, the new job walks the folder again and leaves out
        what the old one has dealt with well.

        Raises:
            Conflict: There is nothing to retry, or a retry is under way.
        """
        with self._database.writing() as connection:
            # Held, so that of two who retry it at once the second sees the first one's job.
            held = select(jobs).where(jobs.c.number == job.number).with_for_update()
            old = connection.execute(held).one()
            _refuse_needless(connection, job)
            job_id = uuid4().hex
            anew = {"id": job_id, "retry_of": job.id, "created_at": datetime.now(UTC)}
            values = {**old._mapping, **_BEGUN_ANEW, **anew}
            del values["number"]
            number = connection.execute(
                insert(jobs).values(values).returning(jobs.c.number)
            ).scalar_one()
            _copy_files(connection, old.number, number)
            _count_copied(connection, number)
            complete_if_done(connection, number)
            return job_id


def _job(connection: Connection, job_id: str) -> Row[Any]:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise JobNotFound(f"there is no job {job_id!r}; GET /api/v2/jobs lists them")
    return row


def _refuse_needless(connection: Connection, job: JobRecord) -> None:
    if not job.state.is_final:
        raise Conflict(
            f"job {job.id} is {job.state}; wait for its end, or cancel it before it is retried"
        )
    left = select(job_files.c.id).where(job_files.c.job_number == job.number, _was_left).limit(1)
    if job.state is JobState.COMPLETED and connection.execute(left).scalar() is None:
        why = (
            "what failed was refused, and would be again" if job.failed else "no file of it failed"
        )
        raise Conflict(f"there is nothing to retry in job {job.id}: {why}")
    again = connection.execute(
        select(jobs.c.id).where(jobs.c.retry_of == job.id, jobs.c.state.in_(OPEN_STATES)).limit(1)
    ).scalar()
    if again is not None:
        raise Conflict(f"job {again} retries job {job.id} already; watch that one")


def _copy_files(connection: Connection, old: int, new: int) -> None:
    kept = [column for column in job_files.c if column.name not in _OF_ONE_TRY]
    files = (
        select(literal(new), literal(FileState.TODO.value), *kept)
        .where(job_files.c.job_number == old, _was_left)
        .order_by(job_files.c.id)
    )
    names = ["job_number", "state", *(column.name for column in kept)]
    connection.execute(insert(job_files).from_select(names, files))


def _count_copied(connection: Connection, number: int) -> None:
    """Set the counters of a job whose list was copied; entries that delete count by themselves."""
    deletes = job_files.c.action == FileAction.DELETE
    entries = select(func.count()).where(job_files.c.job_number == number)
    removals = entries.where(deletes).scalar_subquery()
    pruning = case((jobs.c.prune, 1), else_=0)
    connection.execute(
        update(jobs)
        .where(jobs.c.number == number)
        .values(
            total=entries.where(~deletes).scalar_subquery(),
            removals_open=removals + pruning,
        )
    )
