"""Image roots, the only places whose files may be read by path."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bento_service.catalogue.jobs.pruning import Missed
from bento_service.errors import Forbidden, InvalidArgument, PathNotFound
from bento_service.settings import AnyImageRoot, ImageRoot
from bento_service.settings.root_list import is_address
from bento_service.storage.folder_root import FolderRoot, VolumeOf
from bento_service.storage.root import (
    Listed,
    OpenedFile,
    Presence,
    Root,
    normalised,
    outside_roots,
)
from bento_service.storage.safe_open import unknown_root
from bento_service.storage.skips import Skips
from bento_service.storage.volumes import volume_of


@dataclass(frozen=True)
class Located:
    """A place under an image root; `path` is relative to it, and empty for the root itself."""

    root: AnyImageRoot
    path: str


class ImageRoots:
    """The configured image roots, and the remembered ones, which have files of images.

    Args:
        roots: The configured roots.
        remembered: The others.
        volumes: Returns the identity of a file system.
    """

    def __init__(
        self,
        roots: Sequence[AnyImageRoot],
        remembered: Sequence[AnyImageRoot] = (),
        *,
        volumes: VolumeOf = volume_of,
    ) -> None:
        # A path in nested roots belongs to the inner one.
        inner_first = sorted(remembered, key=_depth, reverse=True)
        self._roots = {root.name: root for root in (*roots, *inner_first)}
        self._default = roots or remembered
        self._files: dict[str, Root] = {
            name: _opened_root(root, volumes) for name, root in self._roots.items()
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the roots."""
        return tuple(self._roots)

    @property
    def all(self) -> tuple[AnyImageRoot, ...]:
        """The roots."""
        return tuple(self._roots.values())

    @property
    def folders(self) -> dict[Path, str]:
        """The names that replace the paths of roots that are folders in the log."""
        folders = [root for root in self.all if isinstance(root, ImageRoot)]
        named = {root.path: root.name for root in folders}
        return named | {root.spelled: root.name for root in folders if root.spelled}

    def unavailable(self, name: str) -> str | None:
        """Return the reason why no file of a root can be read, with advice, or `None`."""
        return self._files[name].unavailable() if name in self._files else unknown_root(name)

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
        if is_absolute(path):
            return self._locate_absolute(path)
        return Located(self._named(root), normalised(path))

    def _locate_absolute(self, path: str) -> Located:
        for name, files in self._files.items():
            below = files.below(path)
            if below is not None:
                return Located(self._roots[name], normalised(below))
        raise outside_roots()

    def _named(self, name: str | None) -> AnyImageRoot:
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
    ) -> Iterator[OpenedFile]:
        """Open a file; see `Root.opened`.

        Raises:
            PathNotFound: There is no such root or file.
            Forbidden: See `Root.opened`.
        """
        if root_name not in self._files:
            raise PathNotFound(unknown_root(root_name))
        with self._files[root_name].opened(path, follow_links=follow_links) as file:
            yield file

    def check(self, located: Located) -> Located:
        """Return a place as its storage spells it, after checking it; see `Root.check`."""
        return replace(located, path=self._files[located.root.name].check(located.path))

    def spelled(self, located: Located) -> Located:
        """Return a place as its storage spells it, if it is there."""
        return replace(located, path=self._files[located.root.name].spelled(located.path))

    def walk(
        self,
        located: Located,
        *,
        recursive: bool,
        ignore: Sequence[str],
        follow_links: bool = False,
        skips: Skips | None = None,
    ) -> Iterator[Listed]:
        """Yield the regular files at a place; see `Root.walk`."""
        return self._files[located.root.name].walk(
            located.path,
            recursive=recursive,
            ignore=ignore,
            follow_links=follow_links,
            skips=Skips() if skips is None else skips,
        )

    def entries(self, located: Located) -> tuple[list[str], int]:
        """Return the folders in a folder and the number of its files; see `Root.entries`."""
        return self._files[located.root.name].entries(located.path)

    def presences(self, root_name: str, files: Sequence[Missed]) -> list[Presence]:
        """Return the presence of each of these files; see `Root.presences`."""
        if root_name not in self._files:
            return [Presence.UNCERTAIN] * len(files)
        return self._files[root_name].presences(files)


def is_absolute(path: str) -> bool:
    """Return true for a caller's path that needs no root: one of a folder, or an address."""
    return path.startswith("/") or is_address(path)


def _depth(root: AnyImageRoot) -> int:
    return len(root.path.parts if isinstance(root, ImageRoot) else root.address.split("/"))


def _opened_root(root: AnyImageRoot, volumes: VolumeOf) -> Root:
    if isinstance(root, ImageRoot):
        return FolderRoot(root, volumes)
    # Libraries of object storage take much memory, and are not installed everywhere.
    from bento_service.storage.object_root import ObjectRoot

    return ObjectRoot(root)
