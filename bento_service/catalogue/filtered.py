"""Questions about the images that pass a filter."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, and_, func, select

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.conditions import Condition, condition
from bento_service.catalogue.database import Database
from bento_service.catalogue.images import bury
from bento_service.catalogue.tables import descriptors, images
from bento_service.filters.expressions import Expression

_IDS_A_STATEMENT = 500
_ROWS_A_PART = 1000


class Filtered:
    """The living images of a collection that pass a filter, all in the state of one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, collection_id: int, which: Expression, *, limit: int | None = None) -> int:
        """How many there are; with a limit, counting stops there."""
        passing = _passing(collection_id, which)
        statement = select(func.count()).select_from(images).where(passing)
        if limit is not None:
            some = select(images.c.id).where(passing).limit(limit).subquery()
            statement = select(func.count()).select_from(some)
        with self._database.reading() as connection:
            return connection.execute(statement).scalar_one()

    def among(self, collection_id: int, which: Expression, image_ids: Iterable[int]) -> set[int]:
        """Those of these images that pass."""
        found: set[int] = set()
        with self._database.reading() as connection:
            for some in _slices(sorted(image_ids)):
                statement = select(images.c.id).where(
                    images.c.id.in_(some), _passing(collection_id, which)
                )
                found.update(connection.execute(statement).scalars())
        return found

    def descriptors(
        self, collection_id: int, which: Expression, *, index_id: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Ids (N,) and an index's descriptors (N, D) of all of them, in parts."""
        statement: Select[Any] = (
            select(images.c.id, descriptors.c.descriptor)
            .join(descriptors, descriptors.c.image_id == images.c.id)
            .where(_passing(collection_id, which), descriptors.c.index_id == index_id)
        )
        with self._database.reading() as connection:
            rows = connection.execution_options(yield_per=_ROWS_A_PART).execute(statement)
            for part in rows.partitions():
                ids = np.array([row.id for row in part], np.int64)
                joined = b"".join(row.descriptor for row in part)
                yield ids, np.frombuffer(joined, "<f4").reshape(len(part), -1)

    def delete(self, collection_id: int, which: Expression) -> int:
        """Delete them in one transaction; returns how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            return bury(connection, collection_id, revision, condition(which, collection_id))


def _passing(collection_id: int, which: Expression) -> Condition:
    return and_(
        images.c.collection_id == collection_id,
        ~images.c.deleted,
        condition(which, collection_id),
    )


def _slices(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + _IDS_A_STATEMENT] for at in range(0, len(ids), _IDS_A_STATEMENT))
