"""The data folder belongs to one service at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bento_service.errors import Conflict


@contextmanager
def sole_user(data_dir: Path) -> Iterator[None]:
    """Hold a data folder, made if it is not there; a crash lets go of it.

    Raises:
        Conflict: Another process holds it; two would overwrite each other's index.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "another service uses this data folder; stop it, or set LOOKALIKE_DATA_DIR to "
                "another one"
            ) from error
        try:
            yield
        finally:
            # A child that was forked meanwhile has the file open too, and would go on holding it.
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)
