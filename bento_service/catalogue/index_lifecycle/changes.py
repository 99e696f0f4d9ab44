"""What the indexes have to apply: changes of images, in the order of their revisions."""

from collections.abc import Iterable

import numpy as np
from sqlalchemy import and_, or_, select, update

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.records import Change, IndexRecord
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import descriptors, images


class Changes:
    """The `descriptors` table, whose every row is to be in its index or to leave it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, index_id: int, *, after: tuple[int, int], limit: int) -> list[Change]:
        """Changes that an index has to apply, tombstones included, oldest first.

        Args:
            index_id: Which index.
            after: Revision and image id of the last change that is already known.
            limit: At most so many.
        """
        revision, image_id = after
        own = descriptors.c
        statement = (
            select(own.image_id, own.revision, images.c.deleted, own.descriptor)
            .join(images, images.c.id == own.image_id)
            .where(
                own.index_id == index_id,
                own.revision >= revision,
                or_(
                    own.revision > revision,
                    and_(own.revision == revision, own.image_id > image_id),
                ),
            )
            .order_by(own.revision, own.image_id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [
                Change(
                    row.image_id, row.revision, row.deleted, np.frombuffer(row.descriptor, "<f4")
                )
                for row in connection.execute(statement)
            ]

    def changed_ids(self, index_id: int, *, after: int) -> set[int]:
        """Ids of an index's images that changed after a revision, tombstones included."""
        statement = select(descriptors.c.image_id).where(
            descriptors.c.index_id == index_id, descriptors.c.revision > after
        )
        with self._database.reading() as connection:
            return set(connection.execute(statement).scalars())

    def living_ids(self, index_id: int, *, up_to: int) -> set[int]:
        """Ids of an index's living images that changed last at revision `up_to` or before."""
        statement = (
            select(descriptors.c.image_id)
            .join(images, images.c.id == descriptors.c.image_id)
            .where(
                descriptors.c.index_id == index_id,
                descriptors.c.revision <= up_to,
                ~images.c.deleted,
            )
        )
        with self._database.reading() as connection:
            return set(connection.execute(statement).scalars())

    def touch(self, index: IndexRecord, image_ids: Iterable[int]) -> None:
        """Give images a new revision, so that the index takes them again."""
        with self._database.writing() as connection:
            revision = next_revision(connection, index.collection_id)
            for some in slices(sorted(image_ids)):
                connection.execute(
                    update(descriptors)
                    .where(descriptors.c.index_id == index.id, descriptors.c.image_id.in_(some))
                    .values(revision=revision)
                )
