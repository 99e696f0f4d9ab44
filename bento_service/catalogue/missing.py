"""Images that an index lacks, because they are not described in its version."""

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from bento_service.catalogue.records import IndexRecord
from bento_service.catalogue.tables import descriptors, images, sources

_IMAGES_A_STEP = 500


def is_missing(index: IndexRecord) -> ColumnElement[bool]:
    """Of an image: lives in the index's collection, and has no descriptor for the index."""
    has_one = exists().where(
        descriptors.c.image_id == images.c.id, descriptors.c.index_id == index.id
    )
    return and_(
        images.c.collection_id == index.collection_id,
        ~images.c.deleted,
        ~has_one.correlate(images),
    )


def count_missing(connection: Connection, index: IndexRecord) -> int:
    """How many living images of its collection an index lacks."""
    statement = select(func.count()).select_from(images).where(is_missing(index))
    return connection.execute(statement).scalar_one()


def missing_after(
    connection: Connection, index: IndexRecord, after: int
) -> list[tuple[int, str, str]]:
    """Ids, digests and first paths of some missing images, those with an id above `after`."""
    others = sources.alias()
    first = (
        select(func.min(others.c.id))
        .where(others.c.image_id == images.c.id)
        .correlate(images)
        .scalar_subquery()
    )
    statement = (
        select(images.c.id, images.c.sha256, sources.c.path)
        .select_from(images.join(sources, sources.c.id == first))
        .where(is_missing(index), images.c.id > after)
        .order_by(images.c.id)
        .limit(_IMAGES_A_STEP)
    )
    return [(row.id, row.sha256, row.path) for row in connection.execute(statement)]
