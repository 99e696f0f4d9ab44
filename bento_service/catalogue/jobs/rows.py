"""Rows of jobs and their files, within a transaction."""

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from bento_service.catalogue.jobs.records import JobRecord, NewJob, Settled, SkippedRecord
from bento_service.catalogue.states import OPEN_STATES, FileAction, FileState, SourceKind
from bento_service.catalogue.tables import job_files, jobs
from bento_service.errors import CollectionNotFound, JobNotFound
from client_sdk.schemas import JobState

_ID = re.compile(r"[0-9a-f]{32}")

OTHER_FILES = (
    "files of the same names as those that were indexed here before are other files, as of another "
    "disk or folder in the same place; the images of before were kept. To tell the two apart, give "
    "this folder a name of its own in LOOKALIKE_IMAGE_ROOTS (`name=/folder`); if the images of "
    "before are not wanted any more, delete them"
)
"""The detail of a job that found another disk or folder at a path that was indexed before."""

all_done = and_(
    jobs.c.walked,
    jobs.c.indexed + jobs.c.duplicates + jobs.c.failed >= jobs.c.total,
    jobs.c.removals_open == 0,
)
"""The condition that a job has nothing left to do."""


def job_row(connection: Connection, job_id: str) -> Row[Any]:
    """Return the row of a job, or raise `JobNotFound`."""
    row = None
    if _ID.fullmatch(job_id):  # PostgreSQL rejects texts with NUL
        row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise JobNotFound(f"there is no job {job_id!r}; GET /api/v2/jobs lists them")
    return row


def job_record(row: Row[Any]) -> JobRecord:
    """Return the record of a row of the `jobs` table."""
    values = {**row._mapping}
    values["kind"] = SourceKind(row.kind)
    values["state"] = JobState(row.state)
    values["ignore"] = tuple(row.ignore)
    values["skipped"] = tuple(SkippedRecord(*skipped) for skipped in row.skipped or ())
    del values["walker"]  # it changes without a change of the job
    return JobRecord(**values)


def as_json(skipped: Iterable[SkippedRecord]) -> list[Any] | None:
    """Return the value of the column `skipped`; a path that is no text is made readable."""
    return [
        [each.code, each.count, os.fsencode(each.first).decode("utf-8", "replace")]
        for each in skipped
    ] or None


def is_open(number: int) -> ColumnElement[bool]:
    """Return the condition that a job is the one of this number and still has work."""
    return and_(jobs.c.number == number, jobs.c.state.in_(OPEN_STATES))


def lock_if_open(connection: Connection, number: int) -> bool:
    """Return true if a job still has work; nothing else can close it in this transaction."""
    statement = select(jobs.c.number).where(is_open(number)).with_for_update()
    return connection.execute(statement).scalar() is not None


def add_job(
    connection: Connection, collection_id: int, collection: str, job: NewJob
) -> tuple[int, str]:
    """Insert a job without its files; return its number and its id.

    Raise `CollectionNotFound` if the collection was deleted in the meantime.
    """
    job_id = uuid4().hex
    values = {
        **vars(job),
        "id": job_id,
        "collection_id": collection_id,
        "collection": collection,
        "ignore": list(job.ignore),
        "skipped": as_json(job.skipped),
        "state": JobState.PENDING,
        "walked": job.kind is SourceKind.UPLOAD,
        "removals_open": int(job.prune),
        "created_at": datetime.now(UTC),
    }
    del values["files"]
    inserting = insert(jobs).values(values).returning(jobs.c.number)
    try:
        return connection.execute(inserting).scalar_one(), job_id
    except IntegrityError as error:
        raise CollectionNotFound(
            f"collection {collection!r} was deleted; create it again"
        ) from error


def close_jobs(
    connection: Connection, which: ColumnElement[bool], state: JobState, detail: str | None
) -> int:
    """End the open jobs that meet a condition; return how many there were."""
    now = datetime.now(UTC)
    closed = connection.execute(
        update(jobs)
        .where(which, jobs.c.state.in_(OPEN_STATES))
        .values(
            state=state,
            detail=func.coalesce(detail, jobs.c.detail),
            finished_at=now,
            started_at=case((jobs.c.started_at.is_(None), now), else_=jobs.c.started_at),
        )
    )
    return int(closed.rowcount)


def complete_if_done(connection: Connection, number: int) -> None:
    """Complete a job that has nothing left to do, except a reindex."""
    # A reindex completes when its index has been checked and serves.
    own = and_(jobs.c.number == number, jobs.c.kind != SourceKind.REINDEX)
    close_jobs(connection, and_(own, all_done), JobState.COMPLETED, None)


def add_to_counters(connection: Connection, number: int, settled: Settled) -> None:
    """Add the results of a batch to the counters of its job."""
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
            detail=OTHER_FILES if settled.other_files else jobs.c.detail,
        )
    )


def settled_before(connection: Connection, number: int, keys: Sequence[str]) -> set[str]:
    """Return the keys of files that a retry can skip: done, known or refused in an earlier try.

    A reindex skips none, since its list has only images that still lack a descriptor.
    """
    is_files = jobs.c.kind != SourceKind.REINDEX
    is_retry = select(jobs.c.retry_of).where(jobs.c.number == number, is_files)
    if connection.execute(is_retry).scalar() is None:
        return set()
    former = select(jobs.c.number, jobs.c.retry_of)
    own = former.where(jobs.c.number == number).cte(recursive=True)
    chain = own.union_all(former.join(own, jobs.c.id == own.c.retry_of))
    statement = select(job_files.c.key).where(
        job_files.c.job_number.in_(select(chain.c.number).where(chain.c.number != number)),
        job_files.c.key.in_(keys),
        or_(
            job_files.c.state.in_((FileState.DONE, FileState.DUPLICATE)),
            job_files.c.action == FileAction.REFUSED,
        ),
    )
    return set(connection.execute(statement).scalars())
