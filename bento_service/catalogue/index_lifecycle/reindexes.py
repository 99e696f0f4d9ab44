"""Bringing a collection to another descriptor version while the old one goes on to serve.

A second index of the collection is prepared: a job describes every image anew, and what is trained
meanwhile is written for both. Once nothing is missing, the collection's pointer moves to it in one
transaction; the index before stays up to date, so that the pointer can move back.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, and_, select, update

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.images.images import bury
from bento_service.catalogue.index_lifecycle.retired import retire
from bento_service.catalogue.indexes import (
    add_index,
    index_prefix,
    index_record,
    indexes_of,
    select_indexes,
)
from bento_service.catalogue.jobs.idempotency_keys import keep, take
from bento_service.catalogue.jobs.records import Claim, NewFile, NewJob
from bento_service.catalogue.jobs.rows import add_job, all_done, close_job
from bento_service.catalogue.missing import count_missing, is_missing, missing_after
from bento_service.catalogue.records import CollectionRecord, DescriptorSpace, IndexRecord
from bento_service.catalogue.tables import (
    OPEN_STATES,
    SourceKind,
    collections,
    indexes,
    instance,
    jobs,
)
from bento_service.errors import Conflict
from client_sdk.schemas import JobState

_IMAGES_A_STEP = 500


class Reindexes:
    """Indexes that are being prepared, and those that served before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        collection: CollectionRecord,
        space: DescriptorSpace,
        *,
        drop_missing: bool,
        retry_of: str | None = None,
        claim: Claim | None = None,
    ) -> str:
        """Begin to prepare an index, or go on with one that lacked something; the job's id.

        Args:
            collection: Whose.
            space: What it is to hold.
            drop_missing: Whether images that cannot be described are deleted in the end.
            retry_of: The id of the job that is tried again.
            claim: The caller's key; under one that was used before, it is the job of then.

        Raises:
            CollectionNotFound: It was deleted.
            Conflict: It holds that already, or a reindex is under way; or something else was asked
                for under that key.
        """
        with self._database.writing() as connection:
            if (known := take(connection, claim)) is not None:
                return known
            next_revision(connection, collection.id)
            held = indexes_of(connection, collection.id)
            _refuse_if_needless(connection, held[0], space)
            version = indexes.c.fingerprint == space.fingerprint
            abandoned = and_(indexes.c.collection_id == collection.id, ~indexes.c.ready, ~version)
            retire(connection, abandoned)
            if all(index.space.fingerprint != space.fingerprint for index in held):
                prefix = index_prefix(connection.execute(select(instance.c.id)).scalar_one())
                name = f"{prefix}{uuid4().hex[:12]}"
                add_index(connection, collection.id, name, space, ready=False)
            job = NewJob(SourceKind.REINDEX, path=space.descriptor, retry_of=retry_of)
            number, job_id = add_job(connection, collection.id, collection.name, job)
            keep(connection, claim, number)
            connection.execute(
                update(indexes)
                .where(indexes.c.collection_id == collection.id, version)
                .values(ready=False, drop_missing=drop_missing, job_number=number)
            )
            return job_id

    def target(self, job_number: int) -> IndexRecord:
        """The index that a job prepares.

        Raises:
            Conflict: It was given up.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                select_indexes().where(indexes.c.job_number == job_number, ~indexes.c.ready)
            ).one_or_none()
        if row is None:
            raise Conflict("the reindex was given up; begin another one")
        return index_record(row)

    def drops_missing(self, job_number: int) -> bool:
        """Whether the index that a job prepared is to lose what could not be described."""
        statement = select(indexes.c.drop_missing).where(indexes.c.job_number == job_number)
        with self._database.reading() as connection:
            return bool(connection.execute(statement).scalar())

    def files(self, job_number: int) -> Iterator[NewFile]:
        """The images that a job has to describe, by rising id.

        Raises:
            Conflict: The reindex was given up.
        """
        index = self.target(job_number)
        after = 0
        while page := self._some_missing(index, after):
            for image_id, sha256, path in page:
                yield NewFile(str(image_id), path, sha256)
            after = page[-1][0]

    def _some_missing(self, index: IndexRecord, after: int) -> list[tuple[int, str, str]]:
        with self._database.reading() as connection:
            return missing_after(connection, index, after)

    def missing(self, index: IndexRecord) -> int:
        """How many living images of its collection an index lacks."""
        with self._database.reading() as connection:
            return count_missing(connection, index)

    def due(self) -> list[IndexRecord]:
        """Indexes whose job has nothing left to describe, so that they can be switched to."""
        statement = (
            select_indexes()
            .join(jobs, jobs.c.number == indexes.c.job_number)
            .where(~indexes.c.ready, jobs.c.state.in_(OPEN_STATES), all_done)
        )
        with self._database.reading() as connection:
            return [index_record(row) for row in connection.execute(statement)]

    def switch(self, index: IndexRecord) -> bool:
        """Let searches use an index that holds everything, and complete its job.

        Where images are missing, they are deleted if that was asked for; else nothing is switched
        and the job's detail says so. The index that served stays, the one before it goes.

        Returns:
            Whether searches use it.

        Raises:
            CollectionNotFound: It was deleted.
        """
        with self._database.writing() as connection:
            revision = next_revision(connection, index.collection_id)
            current = connection.execute(
                select_indexes().where(indexes.c.id == index.id)
            ).one_or_none()
            if current is None or current.ready:
                return False
            job = jobs.c.number == index.job_number
            missing = count_missing(connection, index)
            if missing and not index.drop_missing:
                close_job(connection, job, JobState.COMPLETED, _not_switched(index, missing))
                return False
            if missing:
                bury(connection, index.collection_id, revision, is_missing(index))
            others = indexes.c.collection_id == index.collection_id
            former = and_(others, indexes.c.ready, indexes.c.name != _serving_name(index))
            retire(connection, former)
            _point_at(connection, index)
            dropped = f"; {missing} images that could not be described are deleted"
            detail = f"searches use {_shown(index.space)} now{dropped if missing else ''}"
            close_job(connection, job, JobState.COMPLETED, detail)
            return True

    def fail(self, index: IndexRecord, detail: str) -> None:
        """Give up an index that was built wrongly; it is filled again from the beginning."""
        with self._database.writing() as connection:
            close_job(connection, jobs.c.number == index.job_number, JobState.FAILED, detail)
            connection.execute(update(indexes).where(indexes.c.id == index.id).values(applied=0))

    def undo(self, collection: CollectionRecord) -> None:
        """Let searches use the index again that served before; the present one stays.

        Raises:
            CollectionNotFound: It was deleted.
            Conflict: There is none, or it lacks images that came later.
        """
        with self._database.writing() as connection:
            next_revision(connection, collection.id)
            held = indexes_of(connection, collection.id)
            former = next((one for one in held if one.ready and not one.serves), None)
            if former is None:
                raise Conflict(
                    f"collection {collection.name!r} has no former version to go back to"
                )
            if missing := count_missing(connection, former):
                raise Conflict(
                    f"{missing} images came to {collection.name!r} since it held "
                    f"{_shown(former.space)}, and are not described in it; reindex to it instead"
                )
            _point_at(connection, former)

    def forget(self, collection: CollectionRecord) -> int:
        """Give up a reindex that is not finished, and drop the former version; how many went.

        Raises:
            CollectionNotFound: It was deleted.
        """
        with self._database.writing() as connection:
            next_revision(connection, collection.id)
            own = indexes.c.collection_id == collection.id
            name = _serving_name_of(collection.id)
            gone = retire(connection, and_(own, indexes.c.name != name))
            reindex = and_(jobs.c.collection_id == collection.id, jobs.c.kind == SourceKind.REINDEX)
            close_job(connection, reindex, JobState.CANCELED, "the reindex was given up")
            return gone


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


def _point_at(connection: Connection, index: IndexRecord) -> None:
    connection.execute(
        update(collections)
        .where(collections.c.id == index.collection_id)
        .values(index_name=index.name)
    )
    connection.execute(update(indexes).where(indexes.c.id == index.id).values(ready=True))


def _serving_name(index: IndexRecord) -> Any:
    return _serving_name_of(index.collection_id)


def _serving_name_of(collection_id: int) -> Any:
    return (
        select(collections.c.index_name).where(collections.c.id == collection_id).scalar_subquery()
    )


def _shown(space: DescriptorSpace) -> str:
    return f"{space.descriptor} in {space.precision or '?'}"


def _not_switched(index: IndexRecord, missing: int) -> str:
    return (
        f"{missing} images could not be described in {_shown(index.space)}, so searches go on with "
        "the former version; bring their originals back and reindex again, or reindex with "
        "drop_missing, which deletes these images"
    )
