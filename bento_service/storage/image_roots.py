"""Image roots, the only folders whose files may be read; `safe_open` opens them."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self

from bento_service.errors import Forbidden, InvalidArgument, PathNotFound
from bento_service.settings import ImageRoot
from bento_service.storage.ignore_patterns import Ignored
from bento_service.storage.safe_open import (
    FILE_FLAGS,
    FOLDER_FLAGS,
    has_entries,
    normalised,
    open_beneath,
    open_root,
    opened_parent,
    outside_roots,
    spelled_on_disk,
    stat_beneath,
    unknown_root,
)
from bento_service.storage.skips import Skips
from bento_service.storage.volumes import volume_of
from bento_service.storage.walking import FolderWalk, resolved_beneath


@dataclass(frozen=True)
class Located:
    """A place under an image root; `path` is relative to it, and empty for the root itself."""

    root: ImageRoot
    path: str


@dataclass(frozen=True)
class Listed:
    """A regular file as listed by a walk; `path` is relative to the root, `device` as `st_dev`."""

    path: str
    size: int
    mtime_ns: int
    device: int

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> Self:
        """Return a file with the values of its status."""
        return cls(path, status.st_size, status.st_mtime_ns, status.st_dev)


class Presence(StrEnum):
    """The presence of a file that was indexed earlier."""

    THERE = "there"
    GONE = "gone"
    UNCERTAIN = "uncertain"
    """The file cannot be checked, its folder is empty like the mount point of an unmounted disk, or
    its folder is not the one that had the file."""


class ImageRoots:
    """The configured image roots, and the remembered ones, which have files of images.

    Attributes:
        volume: Returns the identity of a file system by its device; `None` if it is unknown.
    """

    def __init__(
        self,
        roots: Sequence[ImageRoot],
        remembered: Sequence[ImageRoot] = (),
        *,
        volumes: Callable[[int], str | None] = volume_of,
    ) -> None:
        self.volume = volumes
        # A path in nested roots belongs to the inner one.
        inner_first = sorted(remembered, key=lambda root: -len(root.path.parts))
        self._roots = {root.name: root for root in (*roots, *inner_first)}
        self._default = roots or remembered

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the roots."""
        return tuple(self._roots)

    @property
    def all(self) -> tuple[ImageRoot, ...]:
        """The roots."""
        return tuple(self._roots.values())

    @property
    def folders(self) -> dict[Path, str]:
        """The names that replace the roots' paths in the log."""
        named = {root.path: root.name for root in self.all}
        return named | {root.spelled: root.name for root in self.all if root.spelled}

    def unavailable(self, name: str) -> str | None:
        """Return the reason why no file of a root can be read, with advice, or `None`."""
        root = self._roots.get(name)
        if root is None:
            return unknown_root(name)
        try:
            folder = open_root(root)
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

    def locate(self, path: str, root: str | None = None) -> Located:
        """Find the root of a caller's path without opening anything.

        A relative path belongs to the root of that name, which may be omitted if there is only one.

        Raises:
            Forbidden: The path is outside every root.
            InvalidArgument: The path is ambiguous, or has invalid characters.
        """
        if "\0" in path:
            raise InvalidArgument("the path has a NUL character")
        try:
            os.fsencode(path)
        except UnicodeEncodeError as error:
            raise InvalidArgument("the path has a character that no path can have") from error
        if not self._roots:
            raise Forbidden(
                "this service reads no folders; start it with LOOKALIKE_IMAGE_ROOTS, or upload"
            )
        if path.startswith("/"):
            return self._locate_absolute(path)
        return Located(self._named(root), normalised(path))

    def _locate_absolute(self, path: str) -> Located:
        absolute = PurePosixPath(path)
        for root in self._roots.values():
            for folder in (root.path, root.spelled):
                if folder is not None and absolute.is_relative_to(folder):
                    return Located(root, normalised(str(absolute.relative_to(folder))))
        raise outside_roots()

    def _named(self, name: str | None) -> ImageRoot:
        if name is None and len(self._default) == 1:
            return self._default[0]
        if name is None:
            raise InvalidArgument(f"a relative path needs `root`, one of: {', '.join(self._roots)}")
        if name not in self._roots:
            raise outside_roots()
        return self._roots[name]

    @contextmanager
    def opened(
        self, root_name: str, path: str, *, follow_links: bool = False
    ) -> Iterator[BinaryIO]:
        """Open a regular file beneath a root; `follow_links` follows links that stay under it.

        Raises:
            PathNotFound: The file does not exist.
            Forbidden: The path is or passes a symbolic link, or is not a regular file.
        """
        root = self._roots.get(root_name)
        if root is None:
            raise PathNotFound(unknown_root(root_name))
        if follow_links:
            path = resolved_beneath(root, path) or path
        with opened_parent(root, path) as (folder, name):
            descriptor = open_beneath(name, FILE_FLAGS, folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise outside_roots()
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def check(self, located: Located) -> Located:
        """Return a place as the disk spells it, after checking that it is a folder or a file.

        Raises:
            PathNotFound: It does not exist.
            Forbidden: It is something else, or a component is a symbolic link.
        """
        located = self.spelled(located)
        with opened_parent(located.root, located.path) as (parent, name):
            mode = stat_beneath(name, parent).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise outside_roots()
        return located

    def spelled(self, located: Located) -> Located:
        """Return a place as the disk spells it, if it is there; accents may be composed or not."""
        if located.path.isascii():
            return located
        return Located(located.root, spelled_on_disk(located.root, located.path))

    def walk(
        self,
        located: Located,
        *,
        recursive: bool,
        ignore: Sequence[str],
        follow_links: bool = False,
        skips: Skips | None = None,
    ) -> Iterator[Listed]:
        """Yield the regular files at a place, in a stable order; folders at most 100 deep.

        It skips files and folders that a pattern of `ignore` matches, relative to the place. It
        also skips, and counts in `skips`, clutter of systems and programs, everything that cannot
        be read, and symbolic links, unless they are to be followed and stay under the root.

        Raises:
            PathNotFound, Forbidden: See `check`.
        """
        with opened_parent(located.root, located.path) as (parent, name):
            status = stat_beneath(name, parent)
            if stat.S_ISREG(status.st_mode):
                yield Listed.of(located.path, status)
                return
            folder = open_beneath(name, FOLDER_FLAGS, parent)
        walk = FolderWalk(
            located.root,
            located.path,
            recursive=recursive,
            ignored=Ignored(ignore),
            follow_links=follow_links,
            skips=Skips() if skips is None else skips,
        )
        for path, status in walk.files(folder):
            yield Listed.of(path, status)

    def entries(self, located: Located) -> tuple[list[str], int]:
        """Return the names of the folders in a folder, sorted, and the number of its files.

        Symbolic links are not listed.

        Raises:
            PathNotFound, Forbidden: See `check`; a file is no folder.
        """
        with opened_parent(located.root, located.path) as (parent, name):
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

    def presence(self, root_name: str, path: str, *, read_ns: int, volume: str | None) -> Presence:
        """Return the presence of a file that was read at `read_ns`, from a volume if known."""
        try:
            current = open_root(self._roots[root_name])
        except (KeyError, PathNotFound):
            return Presence.UNCERTAIN
        try:
            for component in normalised(path).split("/")[:-1]:
                below = os.open(component, FOLDER_FLAGS, dir_fd=current)
                os.close(current)
                current = below
            status = os.stat(path.rsplit("/", 1)[-1], dir_fd=current, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                return Presence.UNCERTAIN  # it may have been indexed through the link
            return Presence.THERE if stat.S_ISREG(status.st_mode) else Presence.GONE
        except FileNotFoundError:
            return self._absence(current, read_ns, volume)
        except OSError:
            return Presence.UNCERTAIN
        finally:
            os.close(current)

    def _absence(self, folder: int, read_ns: int, volume: str | None) -> Presence:
        """Return the presence of a file that its folder does not have.

        Removing a file changes its folder. A folder that did not change since never had the file.
        """
        status = os.fstat(folder)
        is_other = max(status.st_ctime_ns, status.st_mtime_ns) < read_ns
        if volume is not None and self.volume(status.st_dev) not in (None, volume):
            is_other = True
        return Presence.GONE if has_entries(folder) and not is_other else Presence.UNCERTAIN
