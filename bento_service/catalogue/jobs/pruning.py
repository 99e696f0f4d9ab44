"""Images whose files were walked no more, so that they can be looked for and removed."""

import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, exists, func, select, true, update

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.jobs.records import JobRecord
from bento_service.catalogue.jobs.removals import count_orphans, read_before, remove_sources
from bento_service.catalogue.jobs.rows import complete_if_done, hold_open
from bento_service.catalogue.tables import SourceKind, images, job_files, jobs, sources
from bento_service.errors import CollectionNotFound

_IMAGES_A_STEP = 500


@dataclass(frozen=True)
class Missed:
    """A source below a walked folder that the walk did not come by.

    Attributes:
        read_ns: A time before which it was certainly not read last, in nanoseconds since 1970.
        volume: On which file system it was, where that is known.
    """

    source_id: int
    image_id: int
    path: str
    read_ns: int = 0
    volume: str | None = None


class Pruning:
    """The last step of jobs that remove what is gone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def missed(self, job: JobRecord, *, after: int) -> list[Missed]:
        """Sources below a job's folder that are not on its list, of some images by rising id.

        Args:
            job: Whose walk has ended.
            after: 0 at first, then the last image id of the call before; empty at the end.
        """
        which = _missed_by(job)
        some = (
            select(images.c.id)
            .join(sources, sources.c.image_id == images.c.id)
            .where(which, images.c.id > after)
            .distinct()
            .order_by(images.c.id)
            .limit(_IMAGES_A_STEP)
        )
        with self._database.reading() as connection:
            ids = connection.execute(some).scalars().all()
            statement = (
                select(
                    sources.c.id,
                    sources.c.image_id,
                    sources.c.path,
                    sources.c.read_ns,
                    sources.c.volume,
                    images.c.created_at,
                )
                .join(images, images.c.id == sources.c.image_id)
                .where(which, images.c.id.in_(ids))
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
        """Remove sources, and count the images that go with them; a dry run only counts.

        All sources of one image have to come in one call. Of a job that was closed nothing goes.

        Raises:
            CollectionNotFound: It was deleted.
        """
        if job.collection_id is None:
            raise CollectionNotFound(f"collection {job.collection!r} was deleted")
        with self._database.writing() as connection:
            if job.dry_run:
                return count_orphans(connection, gone)
            revision = next_revision(connection, job.collection_id)
            if not hold_open(connection, job.number):
                return 0
            removed = remove_sources(connection, job.collection_id, revision, gone)
            own = jobs.c.number == job.number
            connection.execute(update(jobs).where(own).values(removed=jobs.c.removed + removed))
            return removed

    def finish(self, job: JobRecord, *, removed: int, detail: str | None) -> None:
        """The step is done, and with it the job, unless that was closed before.

        Args:
            job: Which.
            removed: Images that would go, of a dry run.
            detail: What people should know.
        """
        with self._database.writing() as connection:
            if not hold_open(connection, job.number):
                return
            own = jobs.c.number == job.number
            counted = {"removed": jobs.c.removed + removed} if job.dry_run else {}
            waiting = and_(own, jobs.c.removals_open > 0)
            connection.execute(update(jobs).where(waiting).values(removals_open=0, **counted))
            complete_if_done(connection, job.number)
            if detail is not None:
                before = func.coalesce(jobs.c.detail + ". Also: ", "")
                connection.execute(update(jobs).where(own).values(detail=before + detail))


def _missed_by(job: JobRecord) -> Any:
    listed = exists().where(job_files.c.job_number == job.number, job_files.c.key == sources.c.path)
    return and_(
        images.c.collection_id == job.collection_id,
        ~images.c.deleted,
        sources.c.kind == SourceKind.FILE,
        sources.c.root == job.root,
        _below(job.path),
        ~listed.correlate(sources),
    )


def _below(folder: str) -> Any:
    """Paths are bytes, so what is below a folder is a range of them."""
    if not folder:
        return true()
    first = os.fsencode(folder) + b"/"
    behind = os.fsencode(folder) + b"0"  # the byte after a slash
    return and_(sources.c.path > os.fsdecode(first), sources.c.path < os.fsdecode(behind))
