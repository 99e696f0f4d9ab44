"""The changes that the indexes have to apply, in the order of their revisions."""

from collections.abc import Iterable

import numpy as np
from sqlalchemy import select, tuple_, update

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.records import Change, IndexRecord
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import descriptors, images


class Changes(TableGroup):
    """The `descriptors` table, whose every row an index has to hold or, if deleted, to drop."""

    def page(self, index_id: int, *, after: tuple[int, int], limit: int) -> list[Change]:
        """Return changes that an index has to apply, tombstones included, oldest first.

        Args:
            index_id: Id of the index.
            after: Revision and image id of the last known change.
            limit: Most changes to return.
        """
        revision, image_id = after
        own = descriptors.c
        statement = (
            select(own.image_id, own.revision, images.c.deleted, own.descriptor)
            .join(images, images.c.id == own.image_id)
            .where(
                own.index_id == index_id,
                own.revision >= revision,
                tuple_(own.revision, own.image_id) > (revision, image_id),
            )
            .order_by(own.revision, own.image_id)
            .limit(limit)
        )
        return [
            Change(row.image_id, row.revision, row.deleted, np.frombuffer(row.descriptor, "<f4"))
            for row in self._database.rows(statement)
        ]

    def changed_ids(self, index_id: int, *, after: int) -> set[int]:
        """Return the ids of images that changed after a revision, tombstones included."""
        own = descriptors.c
        statement = select(own.image_id).where(own.index_id == index_id, own.revision > after)
        return set(self._database.scalars(statement))

    def living_ids(self, index_id: int, *, up_to: int) -> set[int]:
        """Return the ids of images that are not deleted and last changed up to a revision."""
        own = descriptors.c
        statement = (
            select(own.image_id)
            .join(images, images.c.id == own.image_id)
            .where(own.index_id == index_id, own.revision <= up_to, ~images.c.deleted)
        )
        return set(self._database.scalars(statement))

    def touch(self, index: IndexRecord, image_ids: Iterable[int]) -> None:
        """Give images a new revision, so that the index applies them again."""
        with self._database.writing() as connection:
            revision = next_revision(connection, index.collection_id)
            for some in slices(sorted(image_ids)):
                connection.execute(
                    update(descriptors)
                    .where(descriptors.c.index_id == index.id, descriptors.c.image_id.in_(some))
                    .values(revision=revision)
                )
