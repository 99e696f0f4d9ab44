"""Leases: which replica describes a job's files, and which one lists them."""

from dataclasses import fields

from sqlalchemy import Connection, and_, bindparam, exists, or_, select, update

from bento_service.catalogue.database import TableGroup
from bento_service.catalogue.jobs.records import FileRecord, JobRecord
from bento_service.catalogue.jobs.rows import is_open, lock_if_open
from bento_service.catalogue.replicas import is_free
from bento_service.catalogue.states import OPEN_STATES, FileAction, FileState
from bento_service.catalogue.tables import job_files, jobs

# Built once: it runs for every few turns of the worker, and building it takes longer than running.
_FREE = (
    select(*(job_files.c[column.name] for column in fields(FileRecord)))
    .where(
        job_files.c.job_number == bindparam("number"),
        job_files.c.state == FileState.TODO,
        is_free(job_files.c.leased_by, bindparam("replica")),
        exists().where(jobs.c.number == bindparam("number"), jobs.c.state.in_(OPEN_STATES)),
    )
    .order_by(job_files.c.id)
    .limit(bindparam("limit"))
)
_FREE_AND_LOCKED = _FREE.with_for_update(skip_locked=True)


class Leases(TableGroup):
    """The leases of the `jobs` and `job_files` tables; they end with their replica."""

    def take(self, job: JobRecord, *, replica: int, limit: int) -> list[FileRecord]:
        """Lease up to `limit` files of an open job that are to do and free; return them in order.

        The lines of a manifest have to be done in order, so one replica at a time leases them.
        """
        values = {"number": job.number, "replica": replica, "limit": limit}
        # Most calls of an idle worker find nothing, and reading does not wait for other writers.
        if not self._database.rows(_FREE, {**values, "limit": 1}):
            return []
        with self._database.writing() as connection:
            if job.manifest is not None and _is_done_elsewhere(connection, job, replica):
                return []
            rows = connection.execute(_FREE_AND_LOCKED, values).all()
            chosen = job_files.c.id.in_([row.id for row in rows])
            connection.execute(update(job_files).where(chosen).values(leased_by=replica))
        return [FileRecord(**{**row._mapping, "action": FileAction(row.action)}) for row in rows]

    def give_back(self, job: JobRecord, *, replica: int) -> None:
        """End the leases of a replica on files of a job that are to do."""
        own = and_(
            job_files.c.job_number == job.number,
            job_files.c.state == FileState.TODO,
            job_files.c.leased_by == replica,
        )
        self._database.write(update(job_files).where(own).values(leased_by=None))

    def take_walk(self, number: int, *, replica: int) -> bool:
        """Lease the listing of an open job's files; return false if another replica has it."""
        free = or_(is_free(jobs.c.walker, replica), jobs.c.walker == replica)
        with self._database.writing() as connection:
            taking = update(jobs).where(is_open(number), free).values(walker=replica)
            return connection.execute(taking).rowcount == 1


def _is_done_elsewhere(connection: Connection, job: JobRecord, replica: int) -> bool:
    """Return true if another replica has leased files of an open job, which is locked."""
    if not lock_if_open(connection, job.number):
        return True
    leased = select(job_files.c.id).where(
        and_(
            job_files.c.job_number == job.number,
            job_files.c.state == FileState.TODO,
            job_files.c.leased_by != replica,
            ~is_free(job_files.c.leased_by, replica),
        )
    )
    return connection.execute(leased.limit(1)).scalar() is not None
