"""How a picture is named on the command line."""

import re
from pathlib import Path
from typing import BinaryIO

from client_sdk._pictures import Picture
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


def is_url(text: str) -> bool:
    """Whether it is an address that the service is to fetch the picture from."""
    return _URL.match(text) is not None


def _all_of(stdin: BinaryIO) -> bytes:
    if stdin.isatty():
        raise UsageError("- reads a picture from a pipe: lookalike search - < cat.jpg")
    content = stdin.read()
    if not content:
        raise UsageError("nothing came from standard input; is the command before it all right?")
    return content
