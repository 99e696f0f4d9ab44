"""SHA-256 digests, in hex."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import Field

SHA256 = "[0-9a-f]{64}"
"""The pattern of a digest."""
Digest = Annotated[str, Field(pattern=f"^{SHA256}$")]
"""A digest as a field of a model."""
_BLOCK = 2**20


def is_digest(text: str) -> bool:
    """Return true if a text has the form of a digest."""
    return re.fullmatch(SHA256, text) is not None


def stream_digest(stream: BinaryIO) -> str:
    """Return the digest of the unread part of a stream."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def whole_digest(stream: BinaryIO) -> str:
    """Return the digest of a whole stream, which is at its start afterwards."""
    stream.seek(0)
    digest = stream_digest(stream)
    stream.seek(0)
    return digest


def file_digest(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return stream_digest(file)


def names_digest(names: Iterable[str]) -> str:
    """Return one digest of many names in any order."""
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()
