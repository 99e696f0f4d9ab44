"""The images of a collection that pass a filter."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, FromClause, and_, func, select

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.images.descriptors import in_batches, select_descriptors
from bento_service.catalogue.images.filter_sql import Condition, condition
from bento_service.catalogue.images.images import mark_deleted
from bento_service.catalogue.images.lookup import living_in
from bento_service.catalogue.records import DescriptorBatch
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import images
from bento_service.filters.expressions import Expression, Not


class FilteredImages(TableGroup):
    """The images of a collection that pass a filter, each answer from one state of the tables."""

    def count(self, collection_id: int, which: Expression, *, limit: int | None = None) -> int:
        """Return how many images pass; stop counting at `limit`."""
        passing = _passing(collection_id, which)
        with self._database.reading() as connection:
            if limit is not None:
                some = select(images.c.id).where(passing).limit(limit)
                return _counted(connection, some.subquery())
            if not isinstance(which, Not):
                return _counted(connection, images, passing)
            # Every image passes a term or its opposite, and counting what passes is quicker.
            every = _counted(connection, images, living_in(collection_id))
            return every - _counted(connection, images, _passing(collection_id, which.term))

    def ids(self, collection_id: int, which: Expression) -> list[int]:
        """Return the ids of all images that pass, in order."""
        statement = select(images.c.id).where(_passing(collection_id, which)).order_by(images.c.id)
        return list(self._database.scalars(statement))

    def descriptors(
        self,
        collection_id: int,
        which: Expression,
        *,
        index_id: int,
        among: Iterable[int] | None = None,
    ) -> Iterator[DescriptorBatch]:
        """Yield an index's descriptors of the images that pass and, if given, are in `among`."""
        statement = select_descriptors(index_id).where(_passing(collection_id, which))
        statements = [statement]
        if among is not None:
            statements = [statement.where(images.c.id.in_(some)) for some in slices(sorted(among))]
        with self._database.reading() as connection:
            yield from in_batches(connection, statements)

    def delete(self, collection_id: int, which: Expression) -> int:
        """Delete the images that pass, in one transaction; return how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            passing = select(images.c.id).where(_passing(collection_id, which))
            ids = connection.execute(passing.order_by(images.c.id)).scalars().all()
            return mark_deleted(connection, collection_id, revision, ids)


def _counted(connection: Connection, rows: FromClause, *conditions: Condition) -> int:
    statement = select(func.count()).select_from(rows).where(*conditions)
    return int(connection.execute(statement).scalar_one())


def _passing(collection_id: int, which: Expression) -> Condition:
    return and_(living_in(collection_id), condition(which, collection_id))
