"""Images and their sources: the truth that the index follows."""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import (
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

from bento_service.catalogue.collections import next_revision
from bento_service.catalogue.database import Database
from bento_service.catalogue.images.attributes import replace_attributes
from bento_service.catalogue.images.filter_sql import condition
from bento_service.catalogue.indexes import followers
from bento_service.catalogue.records import ImageRecord, SourceRecord
from bento_service.catalogue.slices import slices
from bento_service.catalogue.tables import (
    SourceKind,
    collections,
    descriptors,
    images,
    sources,
)
from bento_service.errors import ImageNotFound
from bento_service.filters.expressions import Expression

_living = ~images.c.deleted
_LARGEST_ID = 2**63 - 1
# Asked once a file of every job, and putting it together takes as long as running it.
_HOLDER = select(images.c.id).where(
    images.c.collection_id == bindparam("collection"),
    images.c.sha256 == bindparam("digest"),
    _living,
)


class Images:
    """The `images` and `sources` tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, collection_id: int) -> int:
        """How many living images a collection holds."""
        with self._database.reading() as connection:
            statement = (
                select(func.count())
                .select_from(images)
                .where(images.c.collection_id == collection_id, _living)
            )
            return connection.execute(statement).scalar_one()

    def get(self, image_id: int) -> ImageRecord:
        """A living image.

        Raises:
            ImageNotFound: There is none with that id.
        """
        found = self.by_ids([image_id])
        if not found:
            raise _no_image(image_id)
        return found[image_id]

    def by_ids(self, image_ids: Sequence[int]) -> dict[int, ImageRecord]:
        """The living ones among these images, by id."""
        with self._database.reading() as connection:
            rows = [
                row
                for some in _slices(image_ids)
                for row in connection.execute(_select_images().where(images.c.id.in_(some)))
            ]
            return _with_sources(connection, rows)

    def with_digest(self, collection_id: int, sha256: str) -> ImageRecord | None:
        """The living image of a collection with these bytes."""
        with self._database.reading() as connection:
            found = _id_of(connection, collection_id, sha256)
            rows = connection.execute(_select_images().where(images.c.id == found)).all()
            return next(iter(_with_sources(connection, rows).values()), None)

    def descriptor(self, image_id: int, index_id: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The stored descriptor of a living image for an index, (D,) float32.

        Raises:
            ImageNotFound: There is none with that id in the index.
        """
        with self._database.reading() as connection:
            stored = connection.execute(
                select(descriptors.c.descriptor)
                .join(images, images.c.id == descriptors.c.image_id)
                .where(_is(image_id), _living, descriptors.c.index_id == index_id)
            ).scalar()
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
        """Living images by rising id, those with an id above `after`.

        Args:
            collection_id: Whose images.
            after: 0 for the first page, then the last id of the page before.
            limit: At most so many.
            prefix: Only images with a source whose path begins like this.
            which: Only images that pass this filter.
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
            return list(_with_sources(connection, connection.execute(statement).all()).values())

    def ids(self, collection_id: int, *, after: int, limit: int) -> list[int]:
        """Living images by rising id, those with an id above `after`."""
        statement = (
            select(images.c.id)
            .where(images.c.collection_id == collection_id, images.c.id > after, _living)
            .order_by(images.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return list(connection.execute(statement).scalars())

    def known(self, collection_id: int, sha256: str) -> bool:
        """Whether a collection holds these bytes."""
        with self._database.reading() as connection:
            return _id_of(connection, collection_id, sha256) is not None

    def known_among(self, collection_id: int, digests: Sequence[str]) -> set[str]:
        """Those of some digests whose bytes a collection holds."""
        with self._database.reading() as connection:
            return {
                digest
                for some in slices(digests)
                for digest in connection.execute(
                    select(images.c.sha256).where(
                        images.c.collection_id == collection_id, images.c.sha256.in_(some), _living
                    )
                ).scalars()
            }

    def set_metadata(self, image_id: int, metadata: dict[str, Any]) -> None:
        """Replace the metadata of a living image.

        Raises:
            ImageNotFound: There is none with that id.
        """
        with self._database.writing() as connection:
            changed = connection.execute(
                update(images)
                .where(_is(image_id), _living)
                .values(metadata=metadata)
                .returning(images.c.collection_id)
            ).scalar()
            if changed is None:
                raise _no_image(image_id)
            replace_attributes(connection, changed, image_id, metadata)

    def delete(self, collection_id: int, image_ids: Iterable[int]) -> int:
        """Delete these images of a collection; returns how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            return sum(
                bury(connection, collection_id, revision, images.c.id.in_(some))
                for some in _slices(sorted(set(image_ids)))
            )

    def delete_all(self, collection_id: int) -> int:
        """Delete every image of a collection; returns how many there were."""
        with self._database.writing() as connection:
            revision = next_revision(connection, collection_id)
            return bury(connection, collection_id, revision, images.c.id > 0)

    def purge(self, collection_id: int) -> set[str]:
        """Remove tombstones that every index has applied; returns digests of their uploads."""
        unapplied = (
            exists()
            .where(
                descriptors.c.image_id == images.c.id,
                descriptors.c.index_id == followers.c.index_id,
                descriptors.c.revision > followers.c.applied,
            )
            .correlate(images)
        )
        buried = and_(images.c.collection_id == collection_id, images.c.deleted, ~unapplied)
        with self._database.writing() as connection:
            uploads = connection.execute(
                select(sources.c.sha256)
                .join(images, images.c.id == sources.c.image_id)
                .where(buried, sources.c.kind == SourceKind.UPLOAD)
                .distinct()
            ).scalars()
            digests = set(uploads)
            connection.execute(delete(images).where(buried))
            return digests


def _id_of(connection: Connection, collection_id: int, sha256: str) -> int | None:
    given = {"collection": collection_id, "digest": sha256}
    found: int | None = connection.execute(_HOLDER, given).scalar()
    return found


def _is(image_id: int) -> Any:
    return images.c.id == (image_id if 0 < image_id <= _LARGEST_ID else 0)


def _no_image(image_id: int) -> ImageNotFound:
    return ImageNotFound(f"there is no image {image_id}; it may have been deleted")


def bury(connection: Connection, collection_id: int, revision: int, which: Any) -> int:
    """Make tombstones of the living images that a condition is true of; how many there were."""
    wanted = and_(images.c.collection_id == collection_id, _living, which)
    connection.execute(
        update(descriptors)
        .where(descriptors.c.image_id.in_(select(images.c.id).where(wanted)))
        .values(revision=revision)
    )
    buried = connection.execute(update(images).where(wanted).values(deleted=True))
    return int(buried.rowcount)


def _slices(values: Iterable[Any]) -> Iterable[Sequence[Any]]:
    """Parts that fit into one statement; numbers that no id can be are left out."""
    ids = [value for value in values if not isinstance(value, int) or 0 < value <= _LARGEST_ID]
    return slices(ids)


def _select_images() -> Any:
    return (
        select(images, collections.c.name.label("collection"))
        .join(collections, collections.c.id == images.c.collection_id)
        .where(_living)
    )


def _begins_with(prefix: str) -> Any:
    """Paths are bytes, so the paths with a prefix are a range of them."""
    encoded = os.fsencode(prefix)
    above = os.fsdecode(encoded + b"\xff" * 8)
    return and_(sources.c.path >= prefix, sources.c.path <= above)


def _with_sources(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, ImageRecord]:
    found: dict[int, list[SourceRecord]] = {row.id: [] for row in rows}
    for some in _slices(list(found)):
        statement = select(sources).where(sources.c.image_id.in_(some)).order_by(sources.c.id)
        for source in connection.execute(statement):
            found[source.image_id].append(
                SourceRecord(SourceKind(source.kind), source.root, source.path)
            )
    return {
        row.id: ImageRecord(
            id=row.id,
            collection=row.collection,
            sha256=row.sha256,
            format=row.format,
            width=row.width,
            height=row.height,
            bytes=row.bytes,
            metadata=row.metadata,
            created_at=row.created_at,
            sources=tuple(found[row.id]),
        )
        for row in rows
    }
