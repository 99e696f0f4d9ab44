"""SHA-256 of what is on disk."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_BLOCK = 2**20


def stream_digest(stream: BinaryIO) -> str:
    """Of the rest of a stream, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return stream_digest(file)


def names_digest(names: Iterable[str]) -> str:
    """One digest of many names, in whatever order they come."""
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()
