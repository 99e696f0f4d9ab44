"""The descriptors of an index's living images, as matrices."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, func, select

from bento_service.catalogue.database import Database
from bento_service.catalogue.records import IndexRecord
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import descriptors, images

Part = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Ids (N,) and descriptors (N, D)."""

_ROWS_A_PART = 1000


class Vectors:
    """Questions about `descriptors`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, index: IndexRecord) -> Iterator[Part]:
        """Every living image of an index, in parts, so that memory does not grow with them."""
        yield from self._parts([_of(index)])

    def of(self, index: IndexRecord, image_ids: Iterable[int]) -> Iterator[Part]:
        """The living ones among these images."""
        some = slices(sorted(set(image_ids)))
        yield from self._parts([_of(index).where(images.c.id.in_(ids)) for ids in some])

    def sample(self, index: IndexRecord, count: int) -> Part:
        """Some living images of an index, chosen by chance."""
        chosen = _of(index).order_by(func.random()).limit(count).with_only_columns(images.c.id)
        with self._database.reading() as connection:
            ids = connection.execute(chosen).scalars().all()
        parts = list(self.of(index, ids))
        if not parts:
            return np.empty(0, np.int64), np.empty((0, index.space.dimension), np.float32)
        return np.concatenate([one for one, _ in parts]), np.concatenate([one for _, one in parts])

    def _parts(self, statements: Iterable[Select[Any]]) -> Iterator[Part]:
        with self._database.reading() as connection:
            yield from in_parts(connection, statements)


def described(index_id: int) -> Select[Any]:
    """The ids and descriptors of an index's images, tombstones included."""
    return (
        select(images.c.id, descriptors.c.descriptor)
        .join(descriptors, descriptors.c.image_id == images.c.id)
        .where(descriptors.c.index_id == index_id)
    )


def in_parts(connection: Connection, statements: Iterable[Select[Any]]) -> Iterator[Part]:
    """What statements made of `described` give, so that memory does not grow with it."""
    streaming = connection.execution_options(yield_per=_ROWS_A_PART)
    for one in statements:
        for rows in streaming.execute(one).partitions():
            yield _matrix(rows)


def _of(index: IndexRecord) -> Select[Any]:
    return described(index.id).where(~images.c.deleted)


def _matrix(rows: Sequence[Row[Any]]) -> Part:
    ids = np.array([row.id for row in rows], np.int64)
    joined = b"".join([row.descriptor for row in rows])
    return ids, np.frombuffer(joined, "<f4").reshape(len(rows), -1)
