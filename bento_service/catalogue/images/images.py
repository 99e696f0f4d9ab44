"""Images and their sources."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.images.attributes import replace_attributes
from bento_service.catalogue.images.filter_sql import condition
from bento_service.catalogue.images.lookup import (
    begins_with,
    id_of,
    ids_by_digest,
    living_in,
    upload_digests,
)
from bento_service.catalogue.images.orders import Key, Order, ids_by_name, ordered
from bento_service.catalogue.indexes import followers
from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.spellings import spellings
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import collections, descriptors, images, sources
from bento_service.errors import ImageNotFound
from bento_service.filters.expressions import Expression

_LARGEST_ID = 2**63 - 1
_PLAIN = [field.name for field in fields(ImageRecord) if field.name != "sources"]


def _select_images() -> Any:
    return (
        select(images, collections.c.name.label("collection"))
        .join(collections, collections.c.id == images.c.collection_id)
        .where(~images.c.deleted)
    )


# Built once: every search runs them, and building them takes as long as running them.
_BY_IDS = _select_images().where(images.c.id.in_(bindparam("ids", expanding=True)))
_SOURCES = (
    select(sources)
    .where(sources.c.image_id.in_(bindparam("ids", expanding=True)))
    .order_by(sources.c.id)
)


class Images(TableGroup):
    """The `images` and `sources` tables; deleted images are never returned.

    Methods raise `ImageNotFound` if no image has the id.
    """

    def count(self, collection_id: int) -> int:
        """Return how many images a collection has."""
        statement = select(func.count()).select_from(images).where(living_in(collection_id))
        return int(self._database.scalar(statement))

    def get(self, image_id: int) -> ImageRecord:
        """Return an image."""
        images_by_id = self.by_ids([image_id])
        if not images_by_id:
            raise _no_image(image_id)
        return images_by_id[image_id]

    def by_ids(self, image_ids: Sequence[int]) -> dict[int, ImageRecord]:
        """Return those of these images that exist, by id."""
        with self._database.reading() as connection:
            rows = [
                row
                for some in slices(_possible(image_ids))
                for row in connection.execute(_BY_IDS, {"ids": some})
            ]
            return _records(connection, rows)

    def with_digest(self, collection_id: int, sha256: str) -> ImageRecord | None:
        """Return the image of a collection with these bytes, if there is one."""
        with self._database.reading() as connection:
            image_id = id_of(connection, collection_id, sha256)
            rows = connection.execute(_select_images().where(images.c.id == image_id)).all()
            return next(iter(_records(connection, rows).values()), None)

    def descriptor(self, image_id: int, index_id: int) -> NDArray[np.float32]:
        """Return the descriptor of an image in an index, (D,) float32."""
        stored = self._database.scalar(
            select(descriptors.c.descriptor)
            .join(images, images.c.id == descriptors.c.image_id)
            .where(_is(image_id), descriptors.c.index_id == index_id)
        )
        if stored is None:
            raise _no_image(image_id)
        return np.frombuffer(stored, dtype="<f4")

    def page(
        self,
        collection_id: int,
        *,
        limit: int,
        order: Order = Order.ID,
        after: Key | None = None,
        prefix: str | None = None,
        which: Expression | None = None,
    ) -> list[ImageRecord]:
        """Return up to `limit` images of a collection in an order, after the last one of a page.

        With a prefix, the images have a source whose path begins like this, however accents are
        composed; with a filter, `which`, they pass it.
        """
        statement = _select_images().where(images.c.collection_id == collection_id)
        if prefix:
            statement = statement.where(
                exists().where(
                    sources.c.image_id == images.c.id,
                    or_(*map(begins_with, spellings(prefix))),
                )
            )
        if which is not None:
            statement = statement.where(condition(which, collection_id))
        with self._database.reading() as connection:
            if order is Order.NAME:
                ids = ids_by_name(connection, statement, after, limit)
                rows = connection.execute(_BY_IDS, {"ids": ids}).all()
                by_id = _records(connection, rows)
                return [by_id[image_id] for image_id in ids]
            rows = connection.execute(ordered(statement, order, after).limit(limit)).all()
            return list(_records(connection, rows).values())

    def ids(self, collection_id: int, *, after: int, limit: int) -> list[int]:
        """Return ids above `after` of images of a collection, in order."""
        statement = (
            select(images.c.id)
            .where(living_in(collection_id), images.c.id > after)
            .order_by(images.c.id)
            .limit(limit)
        )
        return list(self._database.scalars(statement))

    def known(self, collection_id: int, sha256: str) -> bool:
        """Return true if a collection has an image with these bytes."""
        with self._database.reading() as connection:
            return id_of(connection, collection_id, sha256) is not None

    def known_among(self, collection_id: int, digests: Sequence[str]) -> dict[str, int]:
        """Return the ids of a collection's images that have one of these digests, by digest."""
        with self._database.reading() as connection:
            return ids_by_digest(connection, collection_id, digests)

    def set_metadata(self, image_id: int, metadata: dict[str, Any]) -> None:
        """Replace the metadata of an image."""
        with self._database.writing() as connection:
            collection_id = connection.execute(
                update(images)
                .where(_is(image_id))
                .values(metadata=metadata)
                .returning(images.c.collection_id)
            ).scalar()
            if collection_id is None:
                raise _no_image(image_id)
            replace_attributes(connection, collection_id, image_id, metadata)

    def delete(self, collection_id: int, image_ids: Iterable[int]) -> int:
        """Delete these images of a collection; return how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            ids = sorted(_possible(set(image_ids)))
            return mark_deleted(connection, collection_id, revision, ids)

    def delete_all(self, collection_id: int) -> int:
        """Delete every image of a collection; return how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            return mark_deleted_where(connection, collection_id, revision, images.c.id > 0)

    def purge(self, collection_id: int) -> set[str]:
        """Remove tombstones that every index has applied; return the digests of their uploads."""
        unapplied = (
            exists()
            .where(
                descriptors.c.image_id == images.c.id,
                descriptors.c.index_id == followers.c.index_id,
                descriptors.c.revision > followers.c.applied,
            )
            .correlate(images)
        )
        applied = and_(images.c.collection_id == collection_id, images.c.deleted, ~unapplied)
        with self._database.writing() as connection:
            digests = upload_digests(connection, applied)
            connection.execute(delete(images).where(applied))
            return digests


def mark_deleted(
    connection: Connection, collection_id: int, revision: int, image_ids: Sequence[int]
) -> int:
    """Make tombstones of these images of a collection; return how many there were."""
    return sum(
        mark_deleted_where(connection, collection_id, revision, images.c.id.in_(some))
        for some in slices(image_ids)
    )


def mark_deleted_where(
    connection: Connection, collection_id: int, revision: int, which: ColumnElement[bool]
) -> int:
    """Make tombstones of the images of a collection that meet a condition; return how many."""
    chosen = and_(living_in(collection_id), which)
    connection.execute(
        update(descriptors)
        .where(descriptors.c.image_id.in_(select(images.c.id).where(chosen)))
        .values(revision=revision)
    )
    return int(connection.execute(update(images).where(chosen).values(deleted=True)).rowcount)


def _is(image_id: int) -> ColumnElement[bool]:
    return and_(images.c.id == (image_id if _possible([image_id]) else 0), ~images.c.deleted)


def _possible(image_ids: Iterable[int]) -> list[int]:
    """Leave out numbers that no id can be; databases refuse those that are too large."""
    return [image_id for image_id in image_ids if 0 < image_id <= _LARGEST_ID]


def _no_image(image_id: int) -> ImageNotFound:
    return ImageNotFound(f"there is no image {image_id}; it may have been deleted")


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, ImageRecord]:
    found: dict[int, list[SourceRecord]] = {row.id: [] for row in rows}
    for some in slices(list(found)):
        for source in connection.execute(_SOURCES, {"ids": some}):
            found[source.image_id].append(
                SourceRecord(SourceKind(source.kind), source.root, source.path)
            )
    return {
        row.id: ImageRecord(**_plain(row._mapping), sources=tuple(found[row.id])) for row in rows
    }


def _plain(columns: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: columns[name] for name in _PLAIN}
