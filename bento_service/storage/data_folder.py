"""The lock of the data folder, which only one service may use at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bento_service.errors import Conflict


@contextmanager
def sole_user(data_dir: Path) -> Iterator[None]:
    """Lock a data folder after creating it if needed; the kernel releases the lock after a crash.

    Raises:
        Conflict: Another process has locked it; two would overwrite each other's index.
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
            # A forked child has inherited the open file, and would keep the lock.
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)
