"""An image root that is a folder; `safe_open` opens its files."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import PurePosixPath
from typing import BinaryIO

from bento_service.catalogue.jobs.pruning import Missed
from bento_service.catalogue.jobs.records import Reading
from bento_service.catalogue.records import Stamp
from bento_service.errors import PathNotFound
from bento_service.settings import ImageRoot
from bento_service.storage.ignore_patterns import Ignored
from bento_service.storage.root import Listed, Presence, folder_not_file, normalised, outside_roots
from bento_service.storage.safe_open import (
    FILE_FLAGS,
    FOLDER_FLAGS,
    has_entries,
    open_beneath,
    open_root,
    opened_parent,
    spelled_on_disk,
    stat_beneath,
)
from bento_service.storage.skips import Skips
from bento_service.storage.walking import FolderWalk, resolved_beneath

_YOUNG_NS = 3 * 10**9  # file systems and servers have clocks as coarse as 2 s
_LARGEST = 2**63 - 1
VolumeOf = Callable[[int], str | None]
"""Returns the identity of a file system by its device; `None` if it is unknown."""


class FolderRoot:
    """A `Root` of the files below a folder, which may be a disk that is mounted at times."""

    def __init__(self, root: ImageRoot, volume: VolumeOf) -> None:
        self._root = root
        self._volume = volume

    def below(self, path: str) -> str | None:
        """See `Root`."""
        absolute = PurePosixPath(path)
        for folder in (self._root.path, self._root.spelled):
            if folder is not None and absolute.is_relative_to(folder):
                return str(absolute.relative_to(folder))
        return None

    def unavailable(self) -> str | None:
        """See `Root`."""
        name = self._root.name
        try:
            folder = open_root(self._root)
        except PathNotFound as error:
            return str(error)
        try:
            if has_entries(folder):
                return None
        except OSError as error:
            return f"image root {name!r} cannot be read ({error.strerror})"
        finally:
            os.close(folder)
        return (
            f"the folder of image root {name!r} is empty, like that of a disk that is not "
            "mounted; mount it"
        )

    @contextmanager
    def opened(self, path: str, *, follow_links: bool = False) -> Iterator["_FolderFile"]:
        """See `Root`."""
        if follow_links:
            path = resolved_beneath(self._root, path) or path
        with opened_parent(self._root, path) as (folder, name):
            descriptor = open_beneath(name, FILE_FLAGS, folder)
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise folder_not_file() if stat.S_ISDIR(mode) else outside_roots()
        with os.fdopen(descriptor, "rb") as file:
            yield _FolderFile(file, self._volume)

    def check(self, path: str) -> str:
        """See `Root`."""
        path = self.spelled(path)
        with opened_parent(self._root, path) as (parent, name):
            mode = stat_beneath(name, parent).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise outside_roots()
        return path

    def spelled(self, path: str) -> str:
        """See `Root`; accents may be composed or not."""
        return path if path.isascii() else spelled_on_disk(self._root, path)

    def walk(
        self, path: str, *, recursive: bool, ignore: Sequence[str], follow_links: bool, skips: Skips
    ) -> Iterator[Listed]:
        """See `Root`."""
        volume = cache(self._volume)
        with opened_parent(self._root, path) as (parent, name):
            status = stat_beneath(name, parent)
            if stat.S_ISREG(status.st_mode):
                yield Listed(path, _stamp(status), volume(status.st_dev))
                return
            folder = open_beneath(name, FOLDER_FLAGS, parent)
        walk = FolderWalk(
            self._root,
            path,
            recursive=recursive,
            ignored=Ignored(ignore),
            follow_links=follow_links,
            skips=skips,
        )
        for file, status in walk.files(folder):
            yield Listed(file, _stamp(status), volume(status.st_dev))

    def entries(self, path: str) -> tuple[list[str], int]:
        """See `Root`."""
        with opened_parent(self._root, path) as (parent, name):
            folder = open_beneath(name, FOLDER_FLAGS, parent)
        try:
            with os.scandir(folder) as entries:
                kinds = [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    if not entry.is_symlink()
                ]
        finally:
            os.close(folder)
        folders = sorted((name for name, is_folder in kinds if is_folder), key=os.fsencode)
        return folders, len(kinds) - len(folders)

    def presences(self, files: Sequence[Missed]) -> list[Presence]:
        """See `Root`."""
        return [self._presence(file) for file in files]

    def _presence(self, file: Missed) -> Presence:
        try:
            current = open_root(self._root)
        except PathNotFound:
            return Presence.UNCERTAIN
        try:
            for component in normalised(file.path).split("/")[:-1]:
                below = os.open(component, FOLDER_FLAGS, dir_fd=current)
                os.close(current)
                current = below
            status = os.stat(file.path.rsplit("/", 1)[-1], dir_fd=current, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                return Presence.UNCERTAIN  # it may have been indexed through the link
            return Presence.THERE if stat.S_ISREG(status.st_mode) else Presence.GONE
        except FileNotFoundError:
            return self._absence(current, file)
        except OSError:
            return Presence.UNCERTAIN
        finally:
            os.close(current)

    def _absence(self, folder: int, file: Missed) -> Presence:
        """Return the presence of a file that its folder does not have.

        Removing a file changes its folder. A folder that did not change since never had the file.
        """
        status = os.fstat(folder)
        is_other = max(status.st_ctime_ns, status.st_mtime_ns) < file.read_ns
        if file.volume is not None and self._volume(status.st_dev) not in (None, file.volume):
            is_other = True
        return Presence.GONE if has_entries(folder) and not is_other else Presence.UNCERTAIN


class _FolderFile:
    """An `OpenedFile` on a disk."""

    def __init__(self, stream: BinaryIO, volume: VolumeOf) -> None:
        self.stream = stream
        self._volume = volume
        self._before, self._opened_ns = os.fstat(stream.fileno()), time.time_ns()
        self.stamp = _stamp(self._before)

    def reading(self) -> Reading:
        """See `OpenedFile`."""
        after = os.fstat(self.stream.fileno())
        return Reading(
            self._opened_ns,
            # Some file systems have no ctime, or a wrong one.
            max(after.st_ctime_ns, after.st_mtime_ns),
            trusted_mtime(self._before, after, self._opened_ns),
            self._volume(after.st_dev),
        )


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns)


def trusted_mtime(before: os.stat_result, after: os.stat_result, now_ns: int) -> int | None:
    """Return the mtime of a file in nanoseconds if every later change must alter it, or `None`.

    A file that changed just before it was read, which began at `now_ns`, can change again within
    the same tick of its file system's clock. Its mtime is not trusted, so the file is read again
    the next time.
    """
    is_steady = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    is_old = before.st_mtime_ns <= now_ns - _YOUNG_NS
    is_storable = abs(before.st_mtime_ns) <= _LARGEST
    return before.st_mtime_ns if is_steady and is_old and is_storable else None
