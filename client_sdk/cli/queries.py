"""Pictures and queries named on the command line."""

import re
from pathlib import Path
from typing import BinaryIO

from client_sdk._calls.pictures import Picture, Query
from client_sdk.errors import UsageError

_STORED = re.compile(r"id:(\d+)")
_URL = re.compile(r"https?://", re.IGNORECASE)


def picture_of(text: str, stdin: BinaryIO) -> Picture | int:
    """Return a picture: `-` is standard input, `id:7` the stored image 7, other text a file."""
    if text == "-":
        return "stdin", _all_of(stdin)
    if stored := _STORED.fullmatch(text):
        return int(stored.group(1))
    return Path(text)


def query_of(text: str, stdin: BinaryIO) -> Query:
    """Return a query: a picture as in `picture_of`, or a URL that the service fetches."""
    return text if _URL.match(text) else picture_of(text, stdin)


def _all_of(stdin: BinaryIO) -> bytes:
    if stdin.isatty():
        raise UsageError("- reads a picture from a pipe: lookalike search - < cat.jpg")
    content = stdin.read()
    if not content:
        raise UsageError("standard input is empty; did the command before the pipe fail?")
    return content
