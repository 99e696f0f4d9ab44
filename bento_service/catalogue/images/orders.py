"""The orders in which images can be listed."""

from enum import StrEnum
from heapq import nsmallest
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_

from bento_service.catalogue.records import ImageRecord
from bento_service.catalogue.tables import images, sources
from bento_service.errors import InvalidArgument

MAX_BY_NAME = 100_000
"""The most images that are sorted by name, because no index of the database helps."""


class Order(StrEnum):
    """An order of images; equal values are sorted by id."""

    ID = "id"
    ID_DESCENDING = "-id"
    NAME = "name"
    CREATED_AT = "created_at"
    CREATED_AT_DESCENDING = "-created_at"

    @property
    def is_by_time(self) -> bool:
        """True if images are sorted by the time of their creation."""
        return self in (Order.CREATED_AT, Order.CREATED_AT_DESCENDING)


Key = tuple[Any, ...]
"""The place of an image in an order: its id, after its name or time where that comes first."""


def key_of(order: Order, image: ImageRecord) -> Key:
    """Return the place of an image in an order."""
    if order is Order.NAME:
        return (name_of(image.sources[0].path if image.sources else ""), image.id)
    return (image.created_at, image.id) if order.is_by_time else (image.id,)


def name_of(path: str) -> str:
    """Return the last component of a path in the form in which names are compared."""
    return path.rpartition("/")[2].casefold()


def ordered(statement: Select[Any], order: Order, after: Key | None) -> Select[Any]:
    """Return a selection of images in an order by id or time, after a place in it."""
    columns: list[ColumnElement[Any]] = [images.c.id]
    if order.is_by_time:
        columns.insert(0, images.c.created_at)
    is_descending = order.startswith("-")
    if after is not None:
        place = tuple_(*columns)
        statement = statement.where(place < after if is_descending else place > after)
    return statement.order_by(*(c.desc() if is_descending else c for c in columns))


def ids_by_name(
    connection: Connection, chosen: Select[Any], after: Key | None, limit: int
) -> list[int]:
    """Return the first ids of a selection of images, sorted by name, after a place.

    Raise `InvalidArgument` if the selection has more than `MAX_BY_NAME` images.
    """
    ids = chosen.with_only_columns(images.c.id).subquery()
    first = select(func.min(sources.c.id)).where(sources.c.image_id == ids.c.id).correlate(ids)
    statement = (
        select(ids.c.id, sources.c.path)
        .select_from(ids)
        .outerjoin(sources, sources.c.id == first.scalar_subquery())
        .limit(MAX_BY_NAME + 1)
    )
    rows = connection.execute(statement).all()
    if len(rows) > MAX_BY_NAME:
        raise InvalidArgument(
            f"sort: by name, at most {MAX_BY_NAME} images can be listed; use a filter, a prefix or "
            "another order"
        )
    keys = ((name_of(row.path or ""), row.id) for row in rows)
    return [key[1] for key in nsmallest(limit, (k for k in keys if after is None or k > after))]
