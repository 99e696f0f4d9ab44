"""The interface of image roots, and what their implementations share."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

from bento_service.catalogue.jobs.pruning import Missed
from bento_service.catalogue.jobs.records import Reading
from bento_service.catalogue.records import Stamp
from bento_service.errors import Forbidden
from bento_service.storage.skips import Skips


class Presence(StrEnum):
    """The presence of a file that was indexed earlier."""

    THERE = "there"
    GONE = "gone"
    UNCERTAIN = "uncertain"
    """The file cannot be checked, its folder is empty like the mount point of an unmounted disk, or
    its folder is not the one that had the file."""


@dataclass(frozen=True)
class Listed:
    """A file as listed by a walk.

    Attributes:
        path: The path below the root.
        stamp: Shows a change of the file.
        volume: The file system that it is on, if that is known.
    """

    path: str
    stamp: Stamp
    volume: str | None = None


class OpenedFile(Protocol):
    """A file that is open for reading, with its status.

    Attributes:
        stamp: The stamp that it had when it was opened.
    """

    stamp: Stamp

    @property
    def stream(self) -> BinaryIO:
        """The bytes, as a file of the operating system; fetched at the first use."""

    def reading(self) -> Reading:
        """Return how the file was read; call it after reading the stream."""


class Root(Protocol):
    """The files of one image root. Paths are relative to it, without `.` and `..`.

    Every method may raise `StorageUnavailable` if the files are in object storage that does not
    answer.
    """

    def below(self, path: str) -> str | None:
        """Return a caller's absolute path relative to the root, `None` if it is not below it."""

    def unavailable(self) -> str | None:
        """Return the reason why no file can be read, with advice, or `None`."""

    def opened(
        self, path: str, *, follow_links: bool = False
    ) -> AbstractContextManager[OpenedFile]:
        """Open a regular file; `follow_links` follows links that stay under the root.

        Raises:
            PathNotFound: The file does not exist.
            Forbidden: The path is or passes a symbolic link, or is not a regular file.
        """

    def check(self, path: str) -> str:
        """Return a path as the storage spells it, after checking that it is a folder or a file.

        Raises:
            PathNotFound: It does not exist.
            Forbidden: It is something else, or a component is a symbolic link.
        """

    def spelled(self, path: str) -> str:
        """Return a path as the storage spells it, if it is there."""

    def walk(
        self, path: str, *, recursive: bool, ignore: Sequence[str], follow_links: bool, skips: Skips
    ) -> Iterator[Listed]:
        """Yield the regular files at a path, in a stable order; folders at most 100 deep.

        It skips files and folders that a pattern of `ignore` matches, relative to the path. It
        also skips, and counts in `skips`, clutter of systems and programs, everything that cannot
        be read, and symbolic links, unless they are to be followed and stay under the root.

        Raises:
            PathNotFound, Forbidden: See `check`.
        """

    def entries(self, path: str) -> tuple[list[str], int]:
        """Return the names of the folders in a folder, sorted, and the number of its files.

        Symbolic links are not listed.

        Raises:
            PathNotFound, Forbidden: See `check`; a file is no folder.
        """

    def presences(self, files: Sequence[Missed]) -> list[Presence]:
        """Return the presence of each of these files, which a walk did not list."""


def normalised(path: str) -> str:
    """Return a relative path without empty components and `.`.

    Raises:
        Forbidden: The path has a `..`.
    """
    components = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in components:
        raise outside_roots()
    return "/".join(components)


def outside_roots() -> Forbidden:
    """Return the error for paths outside of the roots, which does not reveal if they exist."""
    return Forbidden(
        "the path is outside of the image roots, or passes through a symbolic link; give a path "
        "under one of them"
    )


def folder_not_file() -> Forbidden:
    """Return the error for a folder where a file is expected."""
    return Forbidden("the path is a folder; name a file")
