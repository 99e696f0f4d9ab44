"""Questions about the images that pass a filter."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, FromClause, and_, func, select

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.images.descriptors import Part, described, in_parts
from bento_service.catalogue.images.filter_sql import Condition, condition
from bento_service.catalogue.images.images import bury
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import images
from bento_service.filters.expressions import Expression, Not


class Filtered:
    """The living images of a collection that pass a filter, all in the state of one moment."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, collection_id: int, which: Expression, *, limit: int | None = None) -> int:
        """How many there are; with a limit, counting stops there."""
        if limit is not None:
            some = select(images.c.id).where(_passing(collection_id, which)).limit(limit)
            with self._database.reading() as connection:
                return _counted(connection, some.subquery())
        with self._database.reading() as connection:
            if not isinstance(which, Not):
                return _counted(connection, images, _passing(collection_id, which))
            # Every image passes a term or its opposite, and counting what passes is quicker.
            every = _counted(connection, images, _living(collection_id))
            return every - _counted(connection, images, _passing(collection_id, which.term))

    def ids(self, collection_id: int, which: Expression) -> list[int]:
        """Their ids, rising."""
        statement = select(images.c.id).where(_passing(collection_id, which)).order_by(images.c.id)
        with self._database.reading() as connection:
            return list(connection.execute(statement).scalars())

    def descriptors(
        self,
        collection_id: int,
        which: Expression,
        *,
        index_id: int,
        among: Iterable[int] | None = None,
    ) -> Iterator[Part]:
        """Ids (N,) and an index's descriptors (N, D), in parts.

        Args:
            collection_id: Whose images.
            which: Only those that pass this filter.
            index_id: Whose descriptors.
            among: Only these images.
        """
        statement = described(index_id).where(_passing(collection_id, which))
        statements = [statement]
        if among is not None:
            statements = [statement.where(images.c.id.in_(some)) for some in slices(sorted(among))]
        with self._database.reading() as connection:
            yield from in_parts(connection, statements)

    def delete(self, collection_id: int, which: Expression) -> int:
        """Delete them in one transaction; returns how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            passing = select(images.c.id).where(_passing(collection_id, which))
            doomed = connection.execute(passing.order_by(images.c.id)).scalars().all()
            return sum(
                bury(connection, collection_id, revision, images.c.id.in_(some))
                for some in slices(doomed)
            )


def _counted(connection: Connection, rows: FromClause, *conditions: Condition) -> int:
    statement = select(func.count()).select_from(rows).where(*conditions)
    return int(connection.execute(statement).scalar_one())


def _living(collection_id: int) -> Condition:
    return and_(images.c.collection_id == collection_id, ~images.c.deleted)


def _passing(collection_id: int, which: Expression) -> Condition:
    return and_(_living(collection_id), condition(which, collection_id))
