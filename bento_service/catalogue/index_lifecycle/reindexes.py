"""Reindexing: a collection moves to another descriptor version while the old one still serves.

A second index of the collection is prepared: a job describes every image again, and new images are
written for both indexes. Once no image is missing, one transaction points the collection at the new
index. The former index follows all changes, so that the pointer can move back.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select, update

from bento_service.catalogue.database import TableGroup
from bento_service.catalogue.images.images import mark_deleted_where
from bento_service.catalogue.images.lookup import living_in
from bento_service.catalogue.index_lifecycle.retired import retire
from bento_service.catalogue.indexes import (
    add_index,
    index_record,
    indexes_of,
    new_index_name,
    select_indexes,
)
from bento_service.catalogue.jobs.idempotency_keys import assign_job, claim_key
from bento_service.catalogue.jobs.records import Claim, NewFile, NewJob
from bento_service.catalogue.jobs.rows import add_job, all_done, close_jobs
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace, IndexRecord
from bento_service.catalogue.revisions import lock_collection, next_revision
from bento_service.catalogue.states import OPEN_STATES, SourceKind
from bento_service.catalogue.tables import collections, descriptors, images, indexes, jobs, sources
from bento_service.errors import Conflict
from client_sdk.schemas import JobState

_IMAGES_PER_PAGE = 500


class Reindexes(TableGroup):
    """Indexes that are being prepared, and those that served before.

    Methods that write raise `CollectionNotFound` if the collection was deleted.
    """

    def begin(
        self,
        collection: CollectionRecord,
        space: DescriptorSpace,
        *,
        drop_missing: bool,
        retry_of: str | None = None,
        claim: Claim | None = None,
    ) -> str:
        """Begin to prepare an index, or continue one that lacked images; return the job's id.

        With `drop_missing`, images that cannot be described are deleted at the end. A claim whose
        key was used before returns the job of the key. Raise `Conflict` if the collection has that
        space already, or another reindex is running.
        """
        with self._database.writing() as connection:
            if (known := claim_key(connection, claim)) is not None:
                return known
            next_revision(connection, collection.id)
            known_indexes = indexes_of(connection, collection.id)
            _refuse_if_needless(connection, known_indexes[0], space)
            own = indexes.c.collection_id == collection.id
            version = indexes.c.fingerprint == space.fingerprint
            retire(connection, and_(own, ~indexes.c.ready, ~version))  # abandoned ones
            if all(index.space.fingerprint != space.fingerprint for index in known_indexes):
                name = new_index_name(connection)
                add_index(connection, collection.id, name, space, ready=False)
            job = NewJob(SourceKind.REINDEX, path=space.descriptor, retry_of=retry_of)
            number, job_id = add_job(connection, collection.id, collection.name, job)
            assign_job(connection, claim, number)
            values = {"ready": False, "drop_missing": drop_missing, "job_number": number}
            connection.execute(update(indexes).where(own, version).values(values))
            return job_id

    def target(self, job_number: int) -> IndexRecord:
        """Return the index that a job prepares, or raise `Conflict` if the reindex was given up."""
        own = indexes.c.job_number == job_number
        rows = self._database.rows(select_indexes().where(own, ~indexes.c.ready))
        if not rows:
            raise Conflict("the reindex was given up; begin another one")
        return index_record(rows[0])

    def drops_missing(self, job_number: int) -> bool:
        """Return true if a job's index deletes images that could not be described."""
        statement = select(indexes.c.drop_missing).where(indexes.c.job_number == job_number)
        return bool(self._database.scalar(statement))

    def files(self, job_number: int) -> Iterator[NewFile]:
        """Yield the images that a job has to describe, by id."""
        index = self.target(job_number)
        after = 0
        while page := self._database.rows(_select_missing(index, after)):
            for row in page:
                yield NewFile(str(row.id), row.path, row.sha256)
            after = page[-1].id

    def due(self) -> list[IndexRecord]:
        """Return the indexes whose job has described everything, so that they can serve."""
        statement = (
            select_indexes()
            .join(jobs, jobs.c.number == indexes.c.job_number)
            .where(~indexes.c.ready, jobs.c.state.in_(OPEN_STATES), all_done)
        )
        return list(map(index_record, self._database.rows(statement)))

    def switch(self, index: IndexRecord) -> bool:
        """Let searches use a prepared index, and complete its job; return true if they do.

        If images are missing and `drop_missing` is not set, nothing is switched and the job's
        detail says so. The index that served becomes the former one, and the one before it goes.
        """
        with self._database.writing() as connection:
            revision = next_revision(connection, index.collection_id)
            own = select_indexes().where(indexes.c.id == index.id)
            current = connection.execute(own).one_or_none()
            if current is None or current.ready:
                return False
            job = jobs.c.number == index.job_number
            missing = _count_missing(connection, index)
            if missing and not index.drop_missing:
                close_jobs(connection, job, JobState.COMPLETED, _not_switched(index, missing))
                return False
            if missing:
                mark_deleted_where(connection, index.collection_id, revision, _is_missing(index))
            former = and_(indexes.c.ready, _is_beside_serving(index.collection_id))
            retire(connection, former)
            _point_at(connection, index)
            dropped = f"; {missing} images that could not be described are deleted"
            detail = f"searches use {_shown(index.space)} now{dropped if missing else ''}"
            close_jobs(connection, job, JobState.COMPLETED, detail)
            return True

    def fail(self, index: IndexRecord, detail: str) -> bool:
        """Fail the job of an index that was built wrongly; the index has to be filled again.

        Return false if the index serves, or was removed.
        """
        prepared = and_(indexes.c.id == index.id, ~indexes.c.ready)
        with self._database.writing() as connection:
            lock_collection(connection, index.collection_id)
            if connection.execute(select(indexes.c.id).where(prepared)).scalar() is None:
                return False
            close_jobs(connection, jobs.c.number == index.job_number, JobState.FAILED, detail)
            connection.execute(update(indexes).where(prepared).values(applied=0))
            return True

    def undo(self, collection: CollectionRecord) -> None:
        """Let searches use the former index again; the present one stays.

        Raise `Conflict` if there is none, or if it lacks images that were added later.
        """
        with self._database.writing() as connection:
            next_revision(connection, collection.id)
            own = indexes_of(connection, collection.id)
            former = next((index for index in own if index.ready and not index.serves), None)
            if former is None:
                raise Conflict(
                    f"collection {collection.name!r} has no former version to go back to"
                )
            if missing := _count_missing(connection, former):
                raise Conflict(
                    f"{missing} images came to {collection.name!r} since it held "
                    f"{_shown(former.space)}, and are not described in it; reindex to it instead"
                )
            _point_at(connection, former)

    def forget(self, collection: CollectionRecord) -> int:
        """Give up an unfinished reindex and drop the former version; return how many indexes."""
        with self._database.writing() as connection:
            next_revision(connection, collection.id)
            retired = retire(connection, _is_beside_serving(collection.id))
            reindex = and_(jobs.c.collection_id == collection.id, jobs.c.kind == SourceKind.REINDEX)
            close_jobs(connection, reindex, JobState.CANCELED, "the reindex was given up")
            return retired


def _refuse_if_needless(
    connection: Connection, serving: IndexRecord, space: DescriptorSpace
) -> None:
    if serving.space.fingerprint == space.fingerprint:
        raise Conflict(f"collection {serving.collection!r} holds {_shown(space)} already")
    running = connection.execute(
        select(jobs.c.id).where(
            jobs.c.collection_id == serving.collection_id,
            jobs.c.kind == SourceKind.REINDEX,
            jobs.c.state.in_(OPEN_STATES),
        )
    ).scalar()
    if running is not None:
        raise Conflict(
            f"job {running} reindexes {serving.collection!r} already; wait for it, or give it up "
            f"with DELETE /api/v2/collections/{serving.collection}/reindex"
        )


def _is_missing(index: IndexRecord) -> ColumnElement[bool]:
    """Return the condition that an image has no descriptor in an index of its collection."""
    described = exists().where(
        descriptors.c.image_id == images.c.id, descriptors.c.index_id == index.id
    )
    return and_(living_in(index.collection_id), ~described.correlate(images))


def _count_missing(connection: Connection, index: IndexRecord) -> int:
    statement = select(func.count()).select_from(images).where(_is_missing(index))
    return connection.execute(statement).scalar_one()


def _select_missing(index: IndexRecord, after: int) -> Any:
    """Return a select of id, digest and first path of missing images with ids above `after`."""
    others = sources.alias()
    first = (
        select(func.min(others.c.id))
        .where(others.c.image_id == images.c.id)
        .correlate(images)
        .scalar_subquery()
    )
    return (
        select(images.c.id, images.c.sha256, sources.c.path)
        .select_from(images.join(sources, sources.c.id == first))
        .where(_is_missing(index), images.c.id > after)
        .order_by(images.c.id)
        .limit(_IMAGES_PER_PAGE)
    )


def _point_at(connection: Connection, index: IndexRecord) -> None:
    connection.execute(
        update(collections)
        .where(collections.c.id == index.collection_id)
        .values(index_name=index.name)
    )
    connection.execute(update(indexes).where(indexes.c.id == index.id).values(ready=True))


def _is_beside_serving(collection_id: int) -> ColumnElement[bool]:
    """Return the condition that an index of a collection is not the one that serves."""
    serving = select(collections.c.index_name).where(collections.c.id == collection_id)
    return and_(
        indexes.c.collection_id == collection_id, indexes.c.name != serving.scalar_subquery()
    )


def _shown(space: DescriptorSpace) -> str:
    return f"{space.descriptor} in {space.precision or '?'}"


def _not_switched(index: IndexRecord, missing: int) -> str:
    return (
        f"{missing} images could not be described in {_shown(index.space)}, so searches go on with "
        "the former version; bring their originals back and reindex again, or reindex with "
        "drop_missing, which deletes these images"
    )
