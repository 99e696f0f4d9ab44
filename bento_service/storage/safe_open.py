"""Opening of files component by component beneath a root, without following symbolic links.

Between checking a resolved path and opening it, a symbolic link can be exchanged. Here every
component is opened beneath the previous one, so the checked file is the opened file.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from unicodedata import normalize

from bento_service.errors import Forbidden, PathNotFound
from bento_service.settings import ImageRoot
from bento_service.settings.root_list import escaped
from bento_service.storage.root import normalised, outside_roots

_COMPONENT = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER_FLAGS = _COMPONENT | os.O_DIRECTORY
FILE_FLAGS = _COMPONENT | os.O_NONBLOCK | os.O_NOCTTY


def has_entries(folder: int) -> bool:
    """Return true if an open folder is not empty."""
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


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
        # The path was resolved when the root was bound: a link there was created later.
        return os.open(root.path, FOLDER_FLAGS)
    except OSError as error:
        raise PathNotFound(
            f"image root {root.name!r} cannot be opened ({error.strerror}); mount it again, or if "
            f"it was moved, {_naming(root.name)}"
        ) from error


def spelled_on_disk(root: ImageRoot, path: str) -> str:
    """Return a path as the disk spells it, as far as it exists and can be opened."""
    components = normalised(path).split("/")
    current = open_root(root)
    try:
        for at, component in enumerate(components):
            components[at] = _spelled_in(current, component)
            if at + 1 < len(components):
                below = os.open(components[at], FOLDER_FLAGS, dir_fd=current)
                os.close(current)
                current = below
    except OSError:
        pass  # opening the path reports the error
    finally:
        os.close(current)
    return "/".join(components)


def _spelled_in(folder: int, name: str) -> str:
    """Return the entry of a folder that has a name, or the same name in another normal form."""
    if name.isascii():
        return name
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        composed = normalize("NFC", name)
        same = (entry for entry in os.listdir(folder) if normalize("NFC", entry) == composed)
        return next(same, name)
    return name


def unknown_root(name: str) -> str:
    """Return the message for a root whose folder is not known."""
    return f"the folder of image root {name!r} is not known; {_naming(name)}"


def _naming(name: str) -> str:
    return f"start with LOOKALIKE_IMAGE_ROOTS={quote(f'{escaped(name)}=/its/folder')}"


def open_beneath(name: str, flags: int, folder: int) -> int:
    """Open an entry of an open folder.

    Raises:
        PathNotFound, Forbidden: The entry is missing, or may not be read.
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
        shown = os.fsencode(name).decode("utf-8", "replace")
        raise PathNotFound(
            f"{shown!r} does not exist; check the spelling, including upper and lower case"
        ) from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EMLINK):
            raise outside_roots() from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Forbidden("the service may not read this file; change its permissions") from error
        raise PathNotFound(f"the file cannot be opened: {error.strerror}") from error
