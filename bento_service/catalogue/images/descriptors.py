"""The descriptors of an index's images, as matrices."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, func, select

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.indexes import index_record, select_indexes
from bento_service.catalogue.records import DescriptorBatch, IndexRecord
from bento_service.catalogue.tables import descriptors, images, indexes

_ROWS_PER_BATCH = 1000


class Descriptors(TableGroup):
    """The `descriptors` table, read in batches, so that memory does not grow with the images."""

    def all(self, index: IndexRecord) -> Iterator[DescriptorBatch]:
        """Yield the descriptors of all images of an index."""
        with self._database.reading() as connection:
            yield from in_batches(connection, [_of_living(index)])

    def of_index(self, name: str) -> Iterator[DescriptorBatch] | None:
        """Return the descriptors of all images of an index by its name, `None` without one."""
        rows = self._database.rows(select_indexes().where(indexes.c.name == name))
        return self.all(index_record(rows[0])) if rows else None

    def of(self, index: IndexRecord, image_ids: Iterable[int]) -> Iterator[DescriptorBatch]:
        """Yield the descriptors of those of these images that are not deleted."""
        some = slices(sorted(set(image_ids)))
        statements = [_of_living(index).where(images.c.id.in_(ids)) for ids in some]
        with self._database.reading() as connection:
            yield from in_batches(connection, statements)

    def sample(self, index: IndexRecord, count: int) -> DescriptorBatch:
        """Return up to `count` images of an index, chosen at random."""
        random = _of_living(index).order_by(func.random()).limit(count)
        ids = self._database.scalars(random.with_only_columns(images.c.id))
        batches = list(self.of(index, ids))
        if not batches:
            return np.empty(0, np.int64), np.empty((0, index.space.dimension), np.float32)
        ids_of_batches, vectors = zip(*batches, strict=True)
        return np.concatenate(ids_of_batches), np.concatenate(vectors)


def select_descriptors(index_id: int) -> Select[Any]:
    """Return a select of the ids and descriptors of an index's images, tombstones included."""
    return (
        select(images.c.id, descriptors.c.descriptor)
        .join(descriptors, descriptors.c.image_id == images.c.id)
        .where(descriptors.c.index_id == index_id)
    )


def in_batches(
    connection: Connection, statements: Iterable[Select[Any]]
) -> Iterator[DescriptorBatch]:
    """Stream the results of statements made of `select_descriptors`."""
    streaming = connection.execution_options(yield_per=_ROWS_PER_BATCH)
    for statement in statements:
        for rows in streaming.execute(statement).partitions():
            yield _matrix(rows)


def _of_living(index: IndexRecord) -> Select[Any]:
    return select_descriptors(index.id).where(~images.c.deleted)


def _matrix(rows: Sequence[Row[Any]]) -> DescriptorBatch:
    ids = np.array([row.id for row in rows], np.int64)
    joined = b"".join([row.descriptor for row in rows])
    return ids, np.frombuffer(joined, "<f4").reshape(len(rows), -1)
