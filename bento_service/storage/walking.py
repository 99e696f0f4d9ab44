"""Walks of folders beneath an image root, which never leave it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from stat import S_ISDIR, S_ISREG

from bento_service.errors import LookalikeError
from bento_service.settings import ImageRoot
from bento_service.storage.ignore_patterns import Ignored
from bento_service.storage.safe_open import (
    FOLDER_FLAGS,
    open_beneath,
    opened_parent,
    stat_beneath,
)
from bento_service.storage.skips import MAX_DEPTH, Skip, Skips
from client_sdk.schemas.patterns import is_clutter

_Files = Iterator[tuple[str, os.stat_result]]
_Found = os.stat_result | int | Skip | None
"""A file, an open folder to walk, a reason to skip the entry, or nothing to do."""


class FolderWalk:
    """One walk of a folder; it counts what it skips.

    Args:
        root: The image root.
        start: The folder's path below the root; empty for the root itself.
        recursive: Include folders below.
        ignored: Patterns of what to leave out, relative to the folder.
        follow_links: Follow symbolic links whose targets are under the root.
        skips: Counts the skipped entries, with paths below the root.
    """

    def __init__(
        self,
        root: ImageRoot,
        start: str,
        *,
        recursive: bool,
        ignored: Ignored,
        follow_links: bool,
        skips: Skips,
    ) -> None:
        self._root = root
        self._start = start
        self._recursive = recursive
        self._ignored = ignored
        self._follow_links = follow_links
        self._skips = skips
        self._walked = [start]

    def files(self, folder: int) -> _Files:
        """Yield the files below the open folder, in a stable order, and close it at the end."""
        for path, status in self._below(folder, "", MAX_DEPTH):
            yield self._full(path), status

    def _below(self, folder: int, prefix: str, depth: int) -> _Files:
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: os.fsencode(entry.name))
            for entry in entries:
                path = prefix + entry.name
                try:
                    found = self._visited(folder, entry, path, depth)
                except FileNotFoundError:
                    continue  # deleted since it was listed
                except (OSError, LookalikeError):
                    found = Skip.UNREADABLE
                if isinstance(found, Skip):
                    self._skips.add(found, self._full(path))
                elif isinstance(found, os.stat_result):
                    yield path, found
                elif found is not None:
                    yield from self._below(found, f"{path}/", depth - 1)
        finally:
            os.close(folder)

    def _visited(self, folder: int, entry: "os.DirEntry[str]", path: str, depth: int) -> _Found:
        """Return what an entry is to the walk."""
        is_folder = entry.is_dir(follow_symlinks=False)
        if (is_folder and not self._recursive) or self._ignored.entry(path, is_folder=is_folder):
            return None
        if is_clutter(entry.name):
            return Skip.CLUTTER
        if entry.is_file(follow_symlinks=False):
            return entry.stat(follow_symlinks=False)
        if entry.is_symlink():
            return self._target(path, depth)
        if not is_folder:
            return Skip.SPECIAL
        if depth <= 1:
            return Skip.TOO_DEEP
        return os.open(entry.name, FOLDER_FLAGS, dir_fd=folder)

    def _target(self, path: str, depth: int) -> _Found:
        """Return what the target of a link is to the walk."""
        target = resolved_beneath(self._root, self._full(path)) if self._follow_links else None
        if target is None:
            return Skip.LINK
        with opened_parent(self._root, target) as (parent, name):
            status = stat_beneath(name, parent)
            if S_ISREG(status.st_mode):
                return status
            if not S_ISDIR(status.st_mode):
                return Skip.SPECIAL
            if not self._recursive or any(_is_below(target, walked) for walked in self._walked):
                return None  # its files are found without the link
            if any(_is_below(walked, target) for walked in self._walked):
                return Skip.LINK  # it would be walked in circles
            if depth <= 1:
                return Skip.TOO_DEEP
            self._walked.append(target)
            return open_beneath(name, FOLDER_FLAGS, parent)

    def _full(self, path: str) -> str:
        return f"{self._start}/{path}" if self._start else path


def resolved_beneath(root: ImageRoot, path: str) -> str | None:
    """Return a path without symbolic links, `None` if it leads out of the root or to nothing.

    The result is only a proposal: opening it beneath the root follows no link any more.
    """
    with suppress(OSError, RuntimeError):
        target = (root.path / path).resolve(strict=True)
        if target.is_relative_to(root.path):
            return "" if target == root.path else str(target.relative_to(root.path))
    return None


def _is_below(path: str, folder: str) -> bool:
    return folder == "" or path == folder or path.startswith(f"{folder}/")
