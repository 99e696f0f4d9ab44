"""Files that appear under their names only when they are whole and on the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(file: Path, *, suffix: str = "partial") -> Iterator[Path]:
    """Yield the path of a new file, which replaces `file` durably when the block has ended.

    The new file is removed if the block raises, and overwritten by the next call after a crash.
    Processes that may replace the same file at once need different suffixes.
    """
    partial = file.with_name(f".{file.name}.{suffix}")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(file)
        sync_folder(file.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
