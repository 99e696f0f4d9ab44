"""Pruning: finding and removing sources whose files the walk of a folder did not list."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, func, select, true, update

from bento_service.catalogue.database import TableGroup
from bento_service.catalogue.images.lookup import begins_with, living_in
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.jobs.removals import count_orphans, read_before, remove_sources
from bento_service.catalogue.jobs.rows import complete_if_done, lock_if_open
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import images, job_files, jobs, sources
from bento_service.errors import CollectionNotFound

_IMAGES_PER_PAGE = 500


@dataclass(frozen=True)
class Missed:
    """A source below a walked folder that is not on the job's list.

    `read_ns` is a time after which it was certainly read last.
    """

    source_id: int
    image_id: int
    path: str
    read_ns: int = 0
    volume: str | None = None


class Pruning(TableGroup):
    """The last step of jobs that remove images whose files are gone."""

    def missed(self, job: JobRecord, *, after: int) -> list[Missed]:
        """Return sources below a job's folder that its walk did not list, of some images by id.

        `after` is 0 at first, then the last image id of the call before, until nothing is left.
        """
        missed = _is_missed_by(job)
        some = (
            select(images.c.id)
            .join(sources, sources.c.image_id == images.c.id)
            .where(missed, images.c.id > after)
            .distinct()
            .order_by(images.c.id)
            .limit(_IMAGES_PER_PAGE)
        )
        with self._database.reading() as connection:
            ids = connection.execute(some).scalars().all()
            statement = (
                select(sources, images.c.created_at)
                .join(images, images.c.id == sources.c.image_id)
                .where(missed, images.c.id.in_(ids))
                .order_by(sources.c.image_id, sources.c.id)
            )
            return [
                Missed(
                    row.id,
                    row.image_id,
                    row.path,
                    read_before(row.read_ns, row.created_at),
                    row.volume,
                )
                for row in connection.execute(statement)
            ]

    def remove(self, job: JobRecord, gone: set[int]) -> int:
        """Remove sources, and return how many images go with them; a dry run only counts.

        All sources of an image have to come in one call. A closed job removes nothing.
        """
        if job.collection_id is None:
            raise CollectionNotFound(f"collection {job.collection!r} was deleted")
        with self._database.writing() as connection:
            if job.dry_run:
                return count_orphans(connection, gone)
            revision = next_revision(connection, job.collection_id)
            if not lock_if_open(connection, job.number):
                return 0
            removed = remove_sources(connection, job.collection_id, revision, gone)
            own = jobs.c.number == job.number
            connection.execute(update(jobs).where(own).values(removed=jobs.c.removed + removed))
            return removed

    def finish(self, job: JobRecord, *, removed: int, detail: str | None) -> None:
        """End this step of a job, and complete the job if it is still open.

        `removed` is the number of images that a dry run would remove.
        """
        with self._database.writing() as connection:
            if not lock_if_open(connection, job.number):
                return
            own = jobs.c.number == job.number
            counted = {"removed": jobs.c.removed + removed} if job.dry_run else {}
            waiting = and_(own, jobs.c.removals_open > 0)
            connection.execute(update(jobs).where(waiting).values(removals_open=0, **counted))
            complete_if_done(connection, job.number)
            if detail is not None:
                before = func.coalesce(jobs.c.detail + ". Also: ", "")
                connection.execute(update(jobs).where(own).values(detail=before + detail))


def _is_missed_by(job: JobRecord) -> ColumnElement[bool]:
    listed = exists().where(job_files.c.job_number == job.number, job_files.c.key == sources.c.path)
    return and_(
        living_in(job.collection_id),
        sources.c.kind == SourceKind.FILE,
        sources.c.root == job.root,
        begins_with(f"{job.path}/") if job.path else true(),
        ~listed.correlate(sources),
    )
