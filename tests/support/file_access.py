"""Fixtures that watch, restrict or count how files are opened."""

import ctypes
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_IN_OPEN, _IN_ACCESS = 0x20, 0x01
_EVENT = struct.Struct("iIII")
_NOBODY = 65534


class Watch:
    """Tells by inotify what the kernel saw being opened or read, however briefly."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watched = self._libc.inotify_add_watch(
            self._descriptor, os.fsencode(folder), _IN_OPEN | _IN_ACCESS
        )
        assert watched >= 0, os.strerror(ctypes.get_errno())

    def seen(self) -> list[str]:
        """Names of what was opened since the last call; the folder itself has an empty one."""
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return []
        names = []
        while data:
            *_, length = _EVENT.unpack_from(data)
            names.append(data[_EVENT.size :][:length].rstrip(b"\0").decode())
            data = data[_EVENT.size + length :]
        return names

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def watch() -> Iterator[object]:
    """Watch a folder: `watch(folder).seen()`."""
    made: list[Watch] = []

    def start(folder: Path) -> Watch:
        made.append(Watch(folder))
        return made[-1]

    yield start
    for one in made:
        one.close()


def open_files(below: Path | str) -> set[int]:
    """Return this process's descriptors of files whose path begins like this.

    Threads that other tests leave running open files of their own at any time.
    """
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(one.readlink()).startswith(str(below)):
                found.add(int(one.name))
    return found


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Yield a folder that other users may enter, which `tmp_path` is not."""
    with tempfile.TemporaryDirectory(prefix="lookalike-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def as_nobody():
    """A block in which this process has no rights of its own."""

    @contextmanager
    def drop() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(_NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    return drop
