"""The changes that the indexes have to apply, in the order of their revisions."""

import random
from collections.abc import Iterable

import numpy as np
from sqlalchemy import ColumnElement, Select, func, select, tuple_, update

from bento_service.catalogue.database import TableGroup, write_in
from bento_service.catalogue.records import Change, IndexRecord
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import descriptors, images


class Changes(TableGroup):
    """The `descriptors` table, whose every row an index has to hold or, if deleted, to drop."""

    def page(self, index_id: int, *, after: tuple[int, int], limit: int) -> list[Change]:
        """Return changes that an index has to apply, tombstones included, oldest first.

        `after` is the revision and the image id of the last known change.
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

    def count(self, index_id: int, *, after: int) -> int:
        """Return how many images changed after a revision, tombstones included."""
        return int(self._database.scalar(_select_changed(func.count(), index_id, after)))

    def changed_ids(self, index_id: int, *, after: int) -> set[int]:
        """Return the ids of images that changed after a revision, tombstones included."""
        changed = _select_changed(descriptors.c.image_id, index_id, after)
        return set(self._database.scalars(changed))

    def exceed(self, count: int, index_id: int, *, after: int) -> bool:
        """Return true if more than `count` images of an index changed after a revision."""
        changed = _select_changed(descriptors.c.image_id, index_id, after)
        return self._database.scalar(changed.offset(count).limit(1)) is not None

    def living_ids(self, index_id: int, *, up_to: int) -> set[int]:
        """Return the ids of images that are not deleted and last changed up to a revision."""
        of_index = _of_living(index_id, descriptors.c.image_id)
        return set(self._database.scalars(of_index.where(descriptors.c.revision <= up_to)))

    def count_living(self, index_id: int) -> int:
        """Return how many images of an index are not deleted."""
        return int(self._database.scalar(_of_living(index_id, func.count())))

    def sample_living(self, index_id: int, *, one_in: int) -> set[int]:
        """Return the ids of one in so many images of an index, other ones at each call."""
        image_id = descriptors.c.image_id
        chosen = image_id % one_in == random.randrange(one_in)  # noqa: S311 - a sample, no secret
        return set(self._database.scalars(_of_living(index_id, image_id).where(chosen)))

    def touch(self, index: IndexRecord, image_ids: Iterable[int]) -> None:
        """Give images a new revision, so that the index applies them again."""
        with self._database.writing() as connection:
            revision = next_revision(connection, index.collection_id)
            own = update(descriptors).where(descriptors.c.index_id == index.id)
            touched = own.values(revision=revision)
            write_in(connection, touched, descriptors.c.image_id, image_ids)


def _select_changed(value: ColumnElement[int], index_id: int, after: int) -> Select[int]:
    own = descriptors.c
    return select(value).where(own.index_id == index_id, own.revision > after)


def _of_living(index_id: int, value: ColumnElement[int]) -> Select[int]:
    return (
        select(value)
        .select_from(descriptors)
        .join(images, images.c.id == descriptors.c.image_id)
        .where(descriptors.c.index_id == index_id, ~images.c.deleted)
    )
