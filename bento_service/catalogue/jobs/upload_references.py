"""References to stored uploads: by requests that pin them, by jobs and by images."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.states import OPEN_STATES, FileState, SourceKind
from bento_service.catalogue.tables import job_files, jobs, sources, upload_pins

_LEFT = (FileState.TODO, FileState.FAILED)


class UploadReferences(TableGroup):
    """References to stored uploads in the tables of pins, jobs and sources."""

    def unneeded(self, digests: Iterable[str], *, ended_after: datetime) -> set[str]:
        """Return those of these stored uploads that no request, job or image needs.

        While a job is open or can be retried, which is so if it ended after `ended_after`, it needs
        the files that it has not described, and the manifest that it has not read to the end.
        """
        wanted = sorted(set(digests))
        needed: set[str] = set()
        with self._database.reading() as connection:
            # An upload is pinned, then needed by a job, then by an image. In another order, one
            # could pass unseen, because statements in PostgreSQL see what was committed meanwhile.
            for some in slices(wanted):
                pins = select(upload_pins.c.sha256).where(upload_pins.c.sha256.in_(some))
                needed.update(connection.execute(pins).scalars())
            if wanted:
                manifests = _select_manifests(_may_go_on(ended_after))
                needed.update(connection.execute(manifests).scalars())
            for some in slices(wanted):
                for state in _LEFT:  # each has a partial index of its own
                    by_jobs = _select_left(state, some, ended_after)
                    needed.update(connection.execute(by_jobs).scalars())
                by_images = select(sources.c.sha256).where(
                    sources.c.kind == SourceKind.UPLOAD, sources.c.sha256.in_(some)
                )
                needed.update(connection.execute(by_images).scalars())
        return set(wanted) - needed

    def left_by(self, job_number: int) -> set[str]:
        """Return the digests of the files that a job failed at or did not reach."""
        return self._left(job_files.c.job_number == job_number)

    def left_between(self, since: datetime, until: datetime) -> set[str]:
        """Return the digests that uploads which ended in this time failed at or did not reach.

        Manifests that were not read to the end are included.
        """
        in_time = jobs.c.finished_at.between(since, until)
        ended = select(jobs.c.number).where(jobs.c.kind == SourceKind.UPLOAD, in_time)
        files = self._left(job_files.c.job_number.in_(ended))
        return files | set(self._database.scalars(_select_manifests(in_time)))

    def _left(self, which: ColumnElement[bool]) -> set[str]:
        statement = select(job_files.c.sha256).where(which, job_files.c.state.in_(_LEFT))
        return set(filter(None, self._database.scalars(statement)))


def _select_left(state: FileState, digests: Sequence[str], ended_after: datetime) -> Select[Any]:
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


def _select_manifests(which: ColumnElement[bool]) -> Select[Any]:
    return select(jobs.c.manifest).where(jobs.c.manifest.is_not(None), ~jobs.c.walked, which)


def _may_go_on(ended_after: datetime) -> ColumnElement[bool]:
    return or_(jobs.c.state.in_(OPEN_STATES), jobs.c.finished_at > ended_after)
