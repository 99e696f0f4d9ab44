"""Images and their sources."""

import os
from collections.abc import Iterable, Mapping, Sequence
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
    select,
    update,
)

from bento_service.catalogue.database import TableGroup, slices
from bento_service.catalogue.images.attributes import replace_attributes
from bento_service.catalogue.images.filter_sql import condition
from bento_service.catalogue.indexes import followers
from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.revisions import next_revision
from bento_service.catalogue.tables import SourceKind, collections, descriptors, images, sources
from bento_service.errors import ImageNotFound
from bento_service.filters.expressions import Expression

_LARGEST_ID = 2**63 - 1


def living_in(collection_id: Any) -> ColumnElement[bool]:
    """Return the condition that an image is in a collection and not deleted."""
    return and_(images.c.collection_id == collection_id, ~images.c.deleted)


# Built once: it runs for each file of every job, and building it takes as long as running it.
_WITH_DIGEST = select(images.c.id).where(
    living_in(bindparam("collection")), images.c.sha256 == bindparam("digest")
)


class Images(TableGroup):
    """The `images` and `sources` tables; deleted images are never returned."""

    def count(self, collection_id: int) -> int:
        """Return how many images a collection has."""
        statement = select(func.count()).select_from(images).where(living_in(collection_id))
        return int(self._database.scalar(statement))

    def get(self, image_id: int) -> ImageRecord:
        """Return an image.

        Raises:
            ImageNotFound: There is none with that id.
        """
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
                for row in connection.execute(_select_images().where(images.c.id.in_(some)))
            ]
            return _records(connection, rows)

    def with_digest(self, collection_id: int, sha256: str) -> ImageRecord | None:
        """Return the image of a collection with these bytes, if there is one."""
        with self._database.reading() as connection:
            image_id = _id_of(connection, collection_id, sha256)
            rows = connection.execute(_select_images().where(images.c.id == image_id)).all()
            return next(iter(_records(connection, rows).values()), None)

    def descriptor(self, image_id: int, index_id: int) -> NDArray[np.float32]:
        """Return the descriptor of an image in an index, (D,) float32.

        Raises:
            ImageNotFound: The index has none with that id.
        """
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
        after: int,
        limit: int,
        prefix: str | None = None,
        which: Expression | None = None,
    ) -> list[ImageRecord]:
        """Return images of a collection in the order of their ids.

        Args:
            collection_id: Id of the images' collection.
            after: 0 for the first page, then the last id of the page before.
            limit: Most images to return.
            prefix: Return only images with a source whose path begins like this.
            which: Return only images that pass this filter.
        """
        statement = (
            _select_images()
            .where(images.c.collection_id == collection_id, images.c.id > after)
            .order_by(images.c.id)
            .limit(limit)
        )
        if prefix:
            statement = statement.where(
                exists().where(sources.c.image_id == images.c.id, _begins_with(prefix))
            )
        if which is not None:
            statement = statement.where(condition(which, collection_id))
        with self._database.reading() as connection:
            return list(_records(connection, connection.execute(statement).all()).values())

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
        """Return whether a collection has an image with these bytes."""
        with self._database.reading() as connection:
            return _id_of(connection, collection_id, sha256) is not None

    def known_among(self, collection_id: int, digests: Sequence[str]) -> set[str]:
        """Return those of these digests whose bytes a collection has."""
        with self._database.reading() as connection:
            return set(ids_by_digest(connection, collection_id, digests))

    def set_metadata(self, image_id: int, metadata: dict[str, Any]) -> None:
        """Replace the metadata of an image.

        Raises:
            ImageNotFound: There is none with that id.
        """
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


def ids_by_digest(
    connection: Connection, collection_id: int, digests: Iterable[str]
) -> dict[str, int]:
    """Return the ids of those images of a collection that have one of these digests."""
    return {
        row.sha256: row.id
        for some in slices(sorted(set(digests)))
        for row in connection.execute(
            select(images.c.sha256, images.c.id).where(
                living_in(collection_id), images.c.sha256.in_(some)
            )
        )
    }


def upload_digests(connection: Connection, which: ColumnElement[bool]) -> set[str]:
    """Return the digests of the uploads that are sources of the images that meet a condition."""
    statement = (
        select(sources.c.sha256)
        .join(images, images.c.id == sources.c.image_id)
        .where(sources.c.kind == SourceKind.UPLOAD, which)
        .distinct()
    )
    return set(connection.execute(statement).scalars())


def _id_of(connection: Connection, collection_id: int, sha256: str) -> int | None:
    values = {"collection": collection_id, "digest": sha256}
    image_id: int | None = connection.execute(_WITH_DIGEST, values).scalar()
    return image_id


def _is(image_id: int) -> ColumnElement[bool]:
    return and_(images.c.id == (image_id if _possible([image_id]) else 0), ~images.c.deleted)


def _possible(image_ids: Iterable[int]) -> list[int]:
    """Leave out numbers that no id can be; databases refuse those that are too large."""
    return [image_id for image_id in image_ids if 0 < image_id <= _LARGEST_ID]


def _no_image(image_id: int) -> ImageNotFound:
    return ImageNotFound(f"there is no image {image_id}; it may have been deleted")


def _select_images() -> Any:
    return (
        select(images, collections.c.name.label("collection"))
        .join(collections, collections.c.id == images.c.collection_id)
        .where(~images.c.deleted)
    )


def _begins_with(prefix: str) -> ColumnElement[bool]:
    """Return the condition that a source's path has a prefix: a range, as paths are bytes."""
    end = os.fsdecode(os.fsencode(prefix) + b"\xff" * 8)
    return and_(sources.c.path >= prefix, sources.c.path <= end)


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, ImageRecord]:
    found: dict[int, list[SourceRecord]] = {row.id: [] for row in rows}
    for some in slices(list(found)):
        statement = select(sources).where(sources.c.image_id.in_(some)).order_by(sources.c.id)
        for source in connection.execute(statement):
            found[source.image_id].append(
                SourceRecord(SourceKind(source.kind), source.root, source.path)
            )
    return {row.id: _record(row._mapping, found[row.id]) for row in rows}


def _record(row: Mapping[Any, Any], own_sources: Sequence[SourceRecord]) -> ImageRecord:
    plain = ("id", "collection", "sha256", "format", "width", "height", "bytes", "metadata")
    return ImageRecord(
        **{name: row[name] for name in plain},
        created_at=row["created_at"],
        sources=tuple(own_sources),
    )
