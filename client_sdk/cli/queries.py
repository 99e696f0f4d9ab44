"""How a picture is named on the command line."""

import re
from pathlib import Path
from typing import BinaryIO

from client_sdk._calls.pictures import Picture, Query
from client_sdk.errors import UsageError

_STORED = re.compile(r"id:(\d+)")
_URL = re.compile(r"https?://", re.IGNORECASE)


def picture_of(text: str, stdin: BinaryIO) -> Picture | int:
    """A picture: `-` is standard input, `id:7` the stored image 7, anything else a file.

    Raises:
        UsageError: If standard input is a terminal, or gives nothing.
    """
    if text == "-":
        return "stdin", _all_of(stdin)
    if stored := _STORED.fullmatch(text):
        return int(stored.group(1))
    return Path(text)


def query_of(text: str, stdin: BinaryIO) -> Query:
    """What to search with: a picture as above, or an address that the service fetches it from.

    Raises:
        UsageError: If standard input is a terminal, or gives nothing.
    """
    return text if _URL.match(text) else picture_of(text, stdin)


def _all_of(stdin: BinaryIO) -> bytes:
    if stdin.isatty():
        raise UsageError("- reads a picture from a pipe: lookalike search - < cat.jpg")
    content = stdin.read()
    if not content:
        raise UsageError("nothing came from standard input; is the command before it all right?")
    return content
