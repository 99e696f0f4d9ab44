"""Ingest jobs, with one row for each job and each file, so that a crash loses at most a batch."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, and_, bindparam, func, select, true, update

from bento_service.catalogue.database import TableGroup, rows_in
from bento_service.catalogue.jobs.dry_runs import settle_dry_run
from bento_service.catalogue.jobs.idempotency_keys import assign_job, claim_key
from bento_service.catalogue.jobs.listing import list_files
from bento_service.catalogue.jobs.records import (
    Claim,
    FailureRecord,
    JobRecord,
    NewFile,
    NewJob,
    Outcome,
    Settled,
    SkippedRecord,
)
from bento_service.catalogue.jobs.results import Batch, settle_files, settle_reindexed
from bento_service.catalogue.jobs.rows import (
    add_job,
    add_to_counters,
    as_json,
    close_jobs,
    complete_if_done,
    is_open,
    job_record,
    job_row,
    lock_if_open,
    settled_before,
)
from bento_service.catalogue.jobs.upload_pins import exchange_pins
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.states import OPEN_STATES, FileState, SourceKind
from bento_service.catalogue.tables import job_files, jobs
from bento_service.errors import CollectionNotFound
from bento_service.filters.values import is_comparable
from client_sdk.schemas import JobState

# Built once: it runs for every turn of the worker, and building it takes longer than running.
_OPEN = (
    select(jobs)
    .where(jobs.c.state.in_(OPEN_STATES), jobs.c.number > bindparam("after"))
    .order_by(jobs.c.number)
)


class Jobs(TableGroup):
    """The `jobs` and `job_files` tables."""

    def create(
        self,
        collection_id: int,
        collection: str,
        job: NewJob,
        claim: Claim | None = None,
        *,
        holder: str | None = None,
    ) -> JobRecord:
        """Create a job, with its files if it is an upload; a folder's files are listed later.

        A claim whose key was used before returns the job of the key; see `claim_key`. The pins of
        `holder`, which are those of the job's uploads, are dropped; see `exchange_pins`. Raise
        `CollectionNotFound` if the collection was deleted in the meantime.
        """
        with self._database.writing() as connection:
            job_id = claim_key(connection, claim)
            if job_id is None:
                number, job_id = add_job(connection, collection_id, collection, job)
                assign_job(connection, claim, number)
                if holder is not None:
                    exchange_pins(connection, holder, job.uploads)
                if job.files:
                    list_files(connection, number, job.files)
                    complete_if_done(connection, number)  # if all of them were refused
        return self.get(job_id)

    def get(self, job_id: str) -> JobRecord:
        """Return a job."""
        with self._database.reading() as connection:
            return job_record(job_row(connection, job_id))

    def page(
        self,
        *,
        before: int | None,
        limit: int,
        states: Collection[JobState] = (),
        collection: str | None = None,
        batch: str | None = None,
    ) -> list[JobRecord]:
        """Return jobs with numbers below `before`, newest first, that meet all conditions."""
        if not all(is_comparable(text) for text in (collection, batch) if text is not None):
            return []
        wanted = and_(
            true() if before is None else jobs.c.number < before,
            jobs.c.state.in_(states) if states else true(),
            true() if collection is None else jobs.c.collection == collection,
            true() if batch is None else jobs.c.batch == batch,
        )
        newest = select(jobs).where(wanted).order_by(jobs.c.number.desc()).limit(limit)
        return list(map(job_record, self._database.rows(newest)))

    def open(self, *, after: int = 0) -> list[JobRecord]:
        """Return jobs with a number above `after` that still have work, oldest first."""
        return list(map(job_record, self._database.rows(_OPEN, {"after": after})))

    def count_states(self) -> dict[str, int]:
        """Return the number of jobs in each state that some job is in."""
        statement = select(jobs.c.state, func.count().label("jobs")).group_by(jobs.c.state)
        return {row.state: row.jobs for row in self._database.rows(statement)}

    def among(self, numbers: Sequence[int]) -> list[JobRecord]:
        """Return the jobs with these numbers, oldest first."""
        with self._database.reading() as connection:
            rows = rows_in(connection, select(jobs), jobs.c.number, numbers)
            return sorted(map(job_record, rows), key=lambda record: record.number)

    def failures(self, number: int, *, after: int, limit: int) -> list[FailureRecord]:
        """Return failed files of a job with ids above `after`, in the order of its list."""
        files = job_files.c
        statement = (
            select(files.id, files.path, files.code, files.detail)
            .where(files.job_number == number, files.state == FileState.FAILED, files.id > after)
            .order_by(files.id)
            .limit(limit)
        )
        return [FailureRecord(**row._mapping) for row in self._database.rows(statement)]

    def start(self, number: int) -> None:
        """Set a pending job in progress."""
        self._database.write(
            update(jobs)
            .where(jobs.c.number == number, jobs.c.state == JobState.PENDING)
            .values(state=JobState.IN_PROGRESS, started_at=datetime.now(UTC))
        )

    def add_files(self, number: int, files: Sequence[NewFile]) -> bool:
        """Add files to an open job's list; skip those that are on it already.

        Files of which the collection has an unchanged source are done at once. A retry skips files
        that an earlier try has settled. Return true if the job is open, so that more may follow.
        """
        with self._database.writing() as connection:
            if not lock_if_open(connection, number):
                return False
            known = settled_before(connection, number, [file.key for file in files])
            list_files(connection, number, [file for file in files if file.key not in known])
            return True

    def finish_walk(self, number: int, skipped: Iterable[SkippedRecord] = ()) -> None:
        """Record that a job's list is whole; complete the job if nothing is left to do."""
        with self._database.writing() as connection:
            values = {"walked": True, "skipped": as_json(skipped)}
            connection.execute(update(jobs).where(is_open(number)).values(values))
            complete_if_done(connection, number)

    def fail(self, number: int, detail: str) -> None:
        """End an open job that cannot go on."""
        with self._database.writing() as connection:
            close_jobs(connection, jobs.c.number == number, JobState.FAILED, detail)

    def settle(self, job: JobRecord, outcomes: Sequence[Outcome]) -> Settled:
        """Commit the results of some files: images, sources, states and counters, all or none.

        Files that were settled before are skipped, so a commit that may have failed can be
        repeated. Nothing of a closed job is committed. Raise `CollectionNotFound` if the collection
        was deleted, `Conflict` if it serves a descriptor version that was not computed.
        """
        if job.collection_id is None:
            raise CollectionNotFound(f"collection {job.collection!r} was deleted")
        with self._database.writing() as connection:
            settled = _settle(connection, job, outcomes, job.collection_id)
            add_to_counters(connection, job.number, settled)
            complete_if_done(connection, job.number)
            return settled


def _settle(
    connection: Connection, job: JobRecord, outcomes: Sequence[Outcome], collection_id: int
) -> Settled:
    # This locks the collection, before the job.
    revision = 0 if job.dry_run else next_revision(connection, collection_id)
    if not lock_if_open(connection, job.number):
        return Settled()
    if job.dry_run:
        return settle_dry_run(connection, job, outcomes, collection_id)
    settle = settle_reindexed if job.kind is SourceKind.REINDEX else settle_files
    return settle(Batch(connection, job, outcomes, collection_id, revision))
