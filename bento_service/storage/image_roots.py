"""Image roots: the only folders whose files may be read; see `safe_open` for how."""

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
    holds_something,
    normalised,
    open_beneath,
    open_root,
    opened_parent,
    outside_roots,
    stat_beneath,
    unknown_root,
    walk_below,
)
from bento_service.storage.volumes import volume_of

_MAX_DEPTH = 100


@dataclass(frozen=True)
class Located:
    """A place under an image root; `path` is relative to it, and empty for the root itself."""

    root: ImageRoot
    path: str


@dataclass(frozen=True)
class Listed:
    """A regular file as a walk saw it; `path` is relative to the root.

    Attributes:
        device: The device that holds it.
    """

    path: str
    size: int
    mtime_ns: int
    device: int

    @classmethod
    def of(cls, path: str, found: os.stat_result) -> Self:
        """Make one of what `stat` says."""
        return cls(path, found.st_size, found.st_mtime_ns, found.st_dev)


class Presence(StrEnum):
    """Whether a file is where it was once."""

    THERE = "there"
    GONE = "gone"
    UNCERTAIN = "uncertain"
    """It cannot be looked at; or its folder is empty, as that of a disk that is not mounted is, or
    is another folder than the one where it was."""


class ImageRoots:
    """All image roots of a service."""

    def __init__(
        self,
        roots: Sequence[ImageRoot],
        remembered: Sequence[ImageRoot] = (),
        *,
        volumes: Callable[[int], str | None] = volume_of,
    ) -> None:
        """Prepare.

        Args:
            roots: Those that are configured now.
            remembered: Those that were configured before and hold the files of images.
            volumes: Finds the identity of a file system by its device.
        """
        self._volumes = volumes
        # Of two that lie in each other, the inner one is what was meant.
        inner_first = sorted(remembered, key=lambda root: -len(root.path.parts))
        self._roots = {root.name: root for root in (*roots, *inner_first)}
        self._default = roots or remembered

    @property
    def names(self) -> tuple[str, ...]:
        """The names that stand for the roots."""
        return tuple(self._roots)

    @property
    def all(self) -> tuple[ImageRoot, ...]:
        """The roots."""
        return tuple(self._roots.values())

    @property
    def folders(self) -> dict[Path, str]:
        """What the log calls the roots' folders instead of their paths."""
        named = {root.path: root.name for root in self.all}
        return named | {root.spelled: root.name for root in self.all if root.spelled}

    def unavailable(self, name: str) -> str | None:
        """Return why no file of a root can be read, and what to do; `None` where some can."""
        root = self._roots.get(name)
        if root is None:
            return unknown_root(name)
        try:
            folder = open_root(root)
        except PathNotFound as error:
            return str(error)
        try:
            if holds_something(folder):
                return None
        except OSError as error:
            return f"image root {name!r} cannot be read ({error.strerror})"
        finally:
            os.close(folder)
        return (
            f"the folder of image root {name!r} is empty, as that of a disk is that is not "
            "mounted; mount it"
        )

    def locate(self, path: str, root: str | None = None) -> Located:
        """Find the root that a path given by a caller belongs to; nothing is opened.

        Args:
            path: Absolute, or relative to a root.
            root: The name of the root of a relative path; needed where there are several.

        Raises:
            Forbidden: The path is outside every root.
            InvalidArgument: The path is ambiguous, or has characters that no path can have.
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
        wanted = PurePosixPath(path)
        for root in self._roots.values():
            for beginning in (root.path, root.spelled):
                if beginning is not None and wanted.is_relative_to(beginning):
                    return Located(root, normalised(str(wanted.relative_to(beginning))))
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
    def opened(self, root_name: str, path: str) -> Iterator[BinaryIO]:
        """Open a regular file beneath a root.

        Raises:
            PathNotFound: No such file.
            Forbidden: A folder, a symbolic link, a device, a pipe or a socket.
        """
        root = self._roots.get(root_name)
        if root is None:
            raise PathNotFound(unknown_root(root_name))
        with opened_parent(root, path) as (folder, name):
            descriptor = open_beneath(name, FILE_FLAGS, folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise outside_roots()
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def check(self, located: Located) -> None:
        """Check that there is a folder or a regular file at a place.

        Raises:
            PathNotFound: There is nothing.
            Forbidden: It is something else, or a component is a symbolic link.
        """
        with opened_parent(located.root, located.path) as (parent, name):
            mode = stat_beneath(name, parent).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise outside_roots()

    def walk(self, located: Located, *, recursive: bool, ignore: Sequence[str]) -> Iterator[Listed]:
        """The regular files at a place, in a steady order.

        Symbolic links are not followed and not listed. A folder that cannot be read is left out.

        Args:
            located: A folder, or one file.
            recursive: Walk down, 100 folders deep at the most, instead of this folder alone.
            ignore: Patterns of what to leave out below `located`; see `ignoring`.

        Raises:
            PathNotFound: There is nothing.
            Forbidden: It is not a folder or regular file, or a component is a symbolic link.
        """
        with opened_parent(located.root, located.path) as (parent, name):
            found = stat_beneath(name, parent)
            if stat.S_ISREG(found.st_mode):
                yield Listed.of(located.path, found)
                return
            folder = open_beneath(name, FOLDER_FLAGS, parent)
        prefix = f"{located.path}/" if located.path else ""
        below = walk_below(folder, "", Ignored(ignore), depth=_MAX_DEPTH if recursive else 1)
        for path, found in below:
            yield Listed.of(prefix + path, found)

    def volume(self, device: int) -> str | None:
        """Return the identity of a file's file system; `None` where it is not known."""
        return self._volumes(device)

    def presence(self, root_name: str, path: str, *, read_ns: int, volume: str | None) -> Presence:
        """Find out whether there still is a regular file at a path beneath a root.

        Args:
            root_name: Of the root.
            path: Below it.
            read_ns: When it was there, in nanoseconds since 1970.
            volume: On which file system it was, where that is known.
        """
        root = self._roots.get(root_name)
        if root is None:
            return Presence.UNCERTAIN
        try:
            current = open_root(root)
        except PathNotFound:
            return Presence.UNCERTAIN
        try:
            for component in normalised(path).split("/")[:-1]:
                below = os.open(component, FOLDER_FLAGS, dir_fd=current)
                os.close(current)
                current = below
            found = os.stat(path.rsplit("/", 1)[-1], dir_fd=current, follow_symlinks=False)
            return Presence.THERE if stat.S_ISREG(found.st_mode) else Presence.GONE
        except FileNotFoundError:
            return self._absence(current, read_ns, volume)
        except OSError:
            return Presence.UNCERTAIN
        finally:
            os.close(current)

    def _absence(self, folder: int, read_ns: int, volume: str | None) -> Presence:
        """Judge by the folder that lacks a file whether the file was taken out of it.

        That changes the folder. One that did not change since the file was read never had it.
        """
        found = os.fstat(folder)
        is_other = max(found.st_ctime_ns, found.st_mtime_ns) < read_ns
        if volume is not None and self.volume(found.st_dev) not in (None, volume):
            is_other = True
        return Presence.GONE if holds_something(folder) and not is_other else Presence.UNCERTAIN
