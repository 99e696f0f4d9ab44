"""Which stored uploads are needed: by images, and by jobs that read them or may try again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from bento_service.catalogue.database import Database
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import (
    OPEN_STATES,
    FileState,
    SourceKind,
    job_files,
    jobs,
    sources,
)

_LEFT = (FileState.TODO, FileState.FAILED)


class UploadNeeds:
    """What sources and jobs say about uploads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unneeded(self, digests: Iterable[str], *, ended_after: datetime) -> set[str]:
        """Which of these stored uploads neither an image nor a job needs.

        A job needs what it has not described, and the manifest that it has not read to the end,
        while it is open and, for a retry, a while longer.

        Args:
            digests: Of the uploads.
            ended_after: Jobs that ended later than this may still be retried.
        """
        wanted = sorted(set(digests))
        needed: set[str] = set()
        with self._database.reading() as connection:
            if wanted:
                lists = _manifests(_may_go_on(ended_after))
                needed.update(connection.execute(lists).scalars())
            for some in slices(wanted):
                by_images = select(sources.c.sha256).where(
                    sources.c.kind == SourceKind.UPLOAD, sources.c.sha256.in_(some)
                )
                needed.update(connection.execute(by_images).scalars())
                for state in _LEFT:  # each has an index of its own
                    by_jobs = _left_by_jobs(state, some, ended_after)
                    needed.update(connection.execute(by_jobs).scalars())
        return set(wanted) - needed

    def left_by(self, job_number: int) -> set[str]:
        """Digests of the files that a job failed at or did not reach."""
        return self._left(job_files.c.job_number == job_number)

    def left_between(self, since: datetime, until: datetime) -> set[str]:
        """Digests of what uploads that ended in a time failed at or did not reach.

        And of the manifests that were not read to the end.
        """
        in_time = jobs.c.finished_at.between(since, until)
        ended = select(jobs.c.number).where(jobs.c.kind == SourceKind.UPLOAD, in_time)
        files = self._left(job_files.c.job_number.in_(ended))
        with self._database.reading() as connection:
            return files | set(connection.execute(_manifests(in_time)).scalars())

    def _left(self, which: ColumnElement[bool]) -> set[str]:
        statement = select(job_files.c.sha256).where(which, job_files.c.state.in_(_LEFT))
        with self._database.reading() as connection:
            return {digest for digest in connection.execute(statement).scalars() if digest}


def _left_by_jobs(state: FileState, digests: Sequence[str], ended_after: datetime) -> Select[Any]:
    return (
        select(job_files.c.sha256)
        .join(jobs, jobs.c.number == job_files.c.job_number)
        .where(
            job_files.c.state == state,
            job_files.c.sha256.in_(digests),
            jobs.c.kind == SourceKind.UPLOAD,
            _may_go_on(ended_after),
        )
    )


def _manifests(which: ColumnElement[bool]) -> Select[Any]:
    return select(jobs.c.manifest).where(jobs.c.manifest.is_not(None), ~jobs.c.walked, which)


def _may_go_on(ended_after: datetime) -> ColumnElement[bool]:
    return or_(jobs.c.state.in_(OPEN_STATES), jobs.c.finished_at > ended_after)
