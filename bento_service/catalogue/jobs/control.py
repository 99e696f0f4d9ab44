"""Canceling and retrying jobs."""

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Connection, and_, case, delete, func, insert, literal, select, update

from bento_service.catalogue.database import TableGroup
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.jobs.rows import close_jobs, complete_if_done, job_row
from bento_service.catalogue.revisions import lock_collection
from bento_service.catalogue.states import OPEN_STATES, FileAction, FileState, SourceKind
from bento_service.catalogue.tables import indexes, job_files, jobs
from bento_service.errors import Conflict
from client_sdk.schemas import JobState

_COUNTERS = ("total", "indexed", "duplicates", "failed", "unchanged", "removed")
_RESET = {
    **dict.fromkeys(_COUNTERS, 0),
    "state": JobState.PENDING,
    "detail": None,
    "skipped": None,
    "started_at": None,
    "finished_at": None,
    "walker": None,
}
_NOT_COPIED = {"id", "job_number", "state", "code", "detail", "leased_by"}
# An entry of an ended job that failed or was not reached. Refused ones would be refused again.
_was_left = and_(
    job_files.c.state.in_((FileState.FAILED, FileState.TODO)),
    job_files.c.action != FileAction.REFUSED,
)


class JobControl(TableGroup):
    """Canceling and retrying jobs."""

    def cancel(self, job_id: str) -> None:
        """End an open job, so that nothing more of it is committed; a canceled job stays so.

        The index that a reindex has prepared is dropped. Raise `Conflict` for a job that has ended.
        """
        with self._database.writing() as connection:
            job = job_row(connection, job_id)
            if job.kind == SourceKind.REINDEX:
                lock_collection(connection, job.collection_id)
            is_it = jobs.c.number == job.number
            if close_jobs(connection, is_it, JobState.CANCELED, "canceled"):
                prepared = and_(indexes.c.job_number == job.number, ~indexes.c.ready)
                connection.execute(delete(indexes).where(prepared))
                return
            state = job_row(connection, job_id).state
            if state != JobState.CANCELED:
                raise Conflict(
                    f"job {job_id} is {state} already; only a job that waits or is in progress "
                    "can be canceled"
                )

    def check_retriable(self, job: JobRecord) -> None:
        """Raise `Conflict` if a job has nothing to retry, or a retry that is open."""
        with self._database.reading() as connection:
            _refuse_needless(connection, job)

    def retry(self, job: JobRecord) -> str:
        """Copy a job, with the files that failed or were not reached; return the new job's id.

        If the list of files was not whole, the new job walks the folder again and skips the files
        that the old one has settled.
        """
        with self._database.writing() as connection:
            lock_collection(connection, job.collection_id)
            # Locked, so that of two retries at once the second sees the first one's job.
            locked = select(jobs).where(jobs.c.number == job.number).with_for_update()
            old = connection.execute(locked).one()
            _refuse_needless(connection, job)
            job_id = uuid4().hex
            own = {"id": job_id, "retry_of": job.id, "created_at": datetime.now(UTC)}
            values = {**old._mapping, **_RESET, **own}
            del values["number"]
            inserting = insert(jobs).values(values).returning(jobs.c.number)
            number = connection.execute(inserting).scalar_one()
            _copy_files(connection, old.number, number)
            _count_copied(connection, number)
            complete_if_done(connection, number)
            return job_id


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
    retry = connection.execute(
        select(jobs.c.id).where(jobs.c.retry_of == job.id, jobs.c.state.in_(OPEN_STATES)).limit(1)
    ).scalar()
    if retry is not None:
        raise Conflict(f"job {retry} retries job {job.id} already; watch that one")


def _copy_files(connection: Connection, old: int, new: int) -> None:
    kept = [column for column in job_files.c if column.name not in _NOT_COPIED]
    files = (
        select(literal(new), literal(FileState.TODO.value), *kept)
        .where(job_files.c.job_number == old, _was_left)
        .order_by(job_files.c.id)
    )
    names = ["job_number", "state", *(column.name for column in kept)]
    connection.execute(insert(job_files).from_select(names, files))


def _count_copied(connection: Connection, number: int) -> None:
    """Set the counters of a job whose list was copied; entries that delete are counted apart."""
    deletes = job_files.c.action == FileAction.DELETE
    entries = select(func.count()).where(job_files.c.job_number == number)
    removals = entries.where(deletes).scalar_subquery()
    pruning = case((jobs.c.prune, 1), else_=0)
    connection.execute(
        update(jobs)
        .where(jobs.c.number == number)
        .values(total=entries.where(~deletes).scalar_subquery(), removals_open=removals + pruning)
    )
