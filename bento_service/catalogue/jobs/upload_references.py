"""References to stored uploads: by requests that pin them, by jobs and by images."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select

from bento_service.catalogue.database import TableGroup, rows_in
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
        wanted = set(digests)
        if not wanted:
            return wanted
        # An upload is pinned, then needed by a job, then by an image, without a gap between them.
        with self._database.reading() as connection:
            pins = rows_in(connection, select(upload_pins.c.sha256), upload_pins.c.sha256, wanted)
            needed = {row.sha256 for row in pins}
            may_go_on = or_(jobs.c.state.in_(OPEN_STATES), jobs.c.finished_at > ended_after)
            needed.update(connection.scalars(select_manifests(may_go_on)))
            for state in _LEFT:  # each has a partial index of its own
                by_jobs = select_left(state, may_go_on)
                rows = rows_in(connection, by_jobs, job_files.c.sha256, wanted)
                needed.update(row.sha256 for row in rows)
            by_images = select(sources.c.sha256).where(sources.c.kind == SourceKind.UPLOAD)
            rows = rows_in(connection, by_images, sources.c.sha256, wanted)
            needed.update(row.sha256 for row in rows)
        return wanted - needed

    def left_by(self, job_number: int) -> set[str]:
        """Return the digests of the files that a job failed at or did not reach."""
        return self._left(jobs.c.number == job_number)

    def left_between(self, since: datetime, until: datetime) -> set[str]:
        """Return the digests that uploads which ended in this time failed at or did not reach.

        Manifests that were not read to the end are included.
        """
        in_time = jobs.c.finished_at.between(since, until)
        return self._left(in_time) | set(self._database.scalars(select_manifests(in_time)))

    def _left(self, which: ColumnElement[bool]) -> set[str]:
        statements = (select_left(state, which) for state in _LEFT)
        return {digest for each in statements for digest in self._database.scalars(each)}


def select_left(state: FileState, which: ColumnElement[bool]) -> Select[Any]:
    """Return a select of the digests of uploads that have a state in jobs of a condition."""
    return (
        select(job_files.c.sha256)
        .join(jobs, jobs.c.number == job_files.c.job_number)
        .where(
            job_files.c.state == state,
            jobs.c.kind == SourceKind.UPLOAD,
            job_files.c.sha256.is_not(None),
            which,
        )
    )


def select_manifests(which: ColumnElement[bool]) -> Select[Any]:
    """Return a select of the manifests that jobs of a condition have not read to the end."""
    return select(jobs.c.manifest).where(jobs.c.manifest.is_not(None), ~jobs.c.walked, which)
