"""Opening of files component by component beneath a root, without following symbolic links.

Checking a resolved path first and opening it later leaves a gap in which a symbolic link can be
exchanged. Here every component is opened beneath the one before, so what was opened is what was
checked.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from bento_service.errors import Forbidden, PathNotFound
from bento_service.settings import ImageRoot
from bento_service.settings.root_list import escaped
from bento_service.storage.ignore_patterns import Ignored

_COMPONENT = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_FLAGS = _COMPONENT | os.O_DIRECTORY
FILE_FLAGS = _COMPONENT | os.O_NONBLOCK | os.O_NOCTTY


def holds_something(folder: int) -> bool:
    """Return true if an open folder is not empty."""
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


def walk_below(
    folder: int, prefix: str, ignored: Ignored, *, depth: int
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files below an open folder, and close it at the end."""
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: os.fsencode(entry.name))
        for entry in entries:
            path = prefix + entry.name
            try:
                if entry.is_file(follow_symlinks=False):
                    if not ignored.entry(path, is_folder=False):
                        yield path, entry.stat(follow_symlinks=False)
                    continue
                if depth == 1 or not entry.is_dir(follow_symlinks=False):
                    continue
                if ignored.entry(path, is_folder=True):
                    continue
                below = os.open(entry.name, FOLDER_FLAGS, dir_fd=folder)
            except OSError:
                continue  # unreadable, deleted, or replaced by something else since it was listed
            yield from walk_below(below, f"{path}/", ignored, depth=depth - 1)
    finally:
        os.close(folder)


@contextmanager
def opened_parent(root: ImageRoot, path: str) -> Iterator[tuple[int, str]]:
    """Yield the open parent folder of a path beneath a root, and the last component's name."""
    *folders, name = (normalised(path) or ".").split("/")
    current = open_root(root)
    try:
        for component in folders:
            below = open_beneath(component, FOLDER_FLAGS, current)
            os.close(current)
            current = below
        yield current, name
    finally:
        os.close(current)


def open_root(root: ImageRoot) -> int:
    """Open the folder of a root.

    Raises:
        PathNotFound: The folder cannot be opened.
    """
    try:
        # The path was resolved when the root was bound: a link in its place came later.
        return os.open(root.path, FOLDER_FLAGS)
    except OSError as error:
        raise PathNotFound(
            f"image root {root.name!r} is not there ({error.strerror}); mount it again, or if it "
            f"was moved, {_naming(root.name)}"
        ) from error


def unknown_root(name: str) -> str:
    """Return the message for a root whose folder is not known."""
    return f"it is not known where image root {name!r} is; {_naming(name)}"


def _naming(name: str) -> str:
    return f"start with LOOKALIKE_IMAGE_ROOTS='{escaped(name)}=/its/folder'"


def open_beneath(name: str, flags: int, folder: int) -> int:
    """Open an entry of an open folder.

    Raises:
        PathNotFound, Forbidden: The entry is missing, or is not to be read.
    """
    with _explained(name):
        return os.open(name, flags, dir_fd=folder)


def stat_beneath(name: str, folder: int) -> os.stat_result:
    """Return the status of an entry of an open folder; errors as in `open_beneath`."""
    with _explained(name):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise _nothing_there(name) from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EMLINK):
            raise outside_roots() from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Forbidden("the service may not read this file; change its permissions") from error
        raise PathNotFound(f"cannot be opened: {error.strerror}") from error


def normalised(path: str) -> str:
    """Return a relative path without empty components and `.`.

    Raises:
        Forbidden: The path has a `..`.
    """
    components = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in components:
        raise outside_roots()
    return "/".join(components)


def _nothing_there(name: str) -> PathNotFound:
    shown = os.fsencode(name).decode("utf-8", "replace")
    return PathNotFound(
        f"{shown!r} does not exist; check the spelling, including upper and lower case"
    )


def outside_roots() -> Forbidden:
    """Return the error for paths outside of the roots, the same whether or not they exist."""
    return Forbidden(
        "the path is outside of the image roots, or passes through a symbolic link; give a path "
        "under one of them"
    )
