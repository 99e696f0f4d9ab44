"""Pages of lists: their length, and the cursor of the next page."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

from fastapi import Query

from bento_service.errors import InvalidArgument
from bento_service.strict_json import JsonError, read_json

_DIGITS = 18
"""The most digits of a position, all of which a database can store."""

Limit = Annotated[int, Query(ge=1, le=1000)]


def position(cursor: str | None) -> int | None:
    """Return the position that a cursor names, or raise `InvalidArgument` if it is foreign."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > _DIGITS:
        raise foreign_cursor()
    return int(cursor)


def encoded_cursor(*key: str | int) -> str:
    """Return the cursor of the page after an entry with this sort key."""
    return urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decoded_cursor(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """Return the sort key of a cursor of `encoded_cursor`, whose parts have these types.

    Raises:
        InvalidArgument: The service did not issue this cursor.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        key = read_json(text, lone_surrogates=True)  # names of files have them
    except (ValueError, JsonError) as error:
        raise foreign_cursor() from error
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise foreign_cursor()
    if any(isinstance(part, int) and not 0 <= part < 10**_DIGITS for part in key):
        raise foreign_cursor()
    return tuple(key)


def foreign_cursor() -> InvalidArgument:
    """Return the error for a cursor that the service did not issue."""
    return InvalidArgument("cursor: this service did not issue it; start without a cursor")
