"""Pages of lists: their length, and the cursor of the next page."""

from typing import Annotated

from fastapi import Query

from bento_service.errors import InvalidArgument

Limit = Annotated[int, Query(ge=1, le=1000)]


def position(cursor: str | None) -> int | None:
    """Return the position that a cursor names.

    Raises:
        InvalidArgument: The service did not issue this cursor.
    """
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidArgument("cursor: this service did not issue it; start without a cursor")
    return int(cursor)
