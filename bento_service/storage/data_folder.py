"""The lock of the data folder, which only one service may use at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOTDIR
from pathlib import Path

from bento_service.errors import Conflict


@contextmanager
def sole_user(data_dir: Path) -> Iterator[None]:
    """Lock a data folder after creating it if needed; the kernel releases the lock after a crash.

    Raises:
        Conflict: Another process has locked it; two would overwrite each other's index.
        NotADirectoryError: It is a file, or below one.
        OSError: It cannot be written to.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(data_dir)) from error
    lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"another service (process {_holder(lock)}) uses this data folder; stop it, or set "
                "LOOKALIKE_DATA_DIR to another one"
            ) from error
        try:
            yield
        finally:
            # A forked child has inherited the open file, and would keep the lock.
            fcntl.flock(lock, fcntl.LOCK_UN)
    finally:
        os.close(lock)


def _holder(lock: int) -> str:
    """Return the id of the process that holds a lock, if the system shows it."""
    inode = str(os.fstat(lock).st_ino)
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return "unknown"
    for line in lines:  # `1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF`
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode and int(words[4]) > 0:
            return words[4]
    return "unknown"
