"""Lists in pages: how much at a time, and where the next page begins."""

from typing import Annotated

from fastapi import Query

from bento_service.errors import InvalidArgument

Limit = Annotated[int, Query(ge=1, le=1000)]


def position(cursor: str | None) -> int | None:
    """What a cursor of ours stands for.

    Raises:
        InvalidArgument: It is not one of ours.
    """
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidArgument("cursor: is not one that this service gave; begin without one")
    return int(cursor)
