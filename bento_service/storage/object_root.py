"""An image root in object storage."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, BinaryIO

from bento_service.catalogue.jobs.pruning import Missed
from bento_service.catalogue.jobs.records import Reading
from bento_service.catalogue.records import MAX_ETAG, Stamp
from bento_service.catalogue.spellings import spellings
from bento_service.errors import Forbidden, LookalikeError, PathNotFound, StorageUnavailable
from bento_service.settings import ObjectImageRoot
from bento_service.storage.ignore_patterns import Ignored
from bento_service.storage.object_files import SECONDS, Info, ObjectFiles
from bento_service.storage.root import Listed, Presence, folder_not_file, normalised, outside_roots
from bento_service.storage.skips import MAX_DEPTH, Skip, Skips
from client_sdk.schemas.patterns import is_clutter

_LOOK_SECONDS = 30.0
_YOUNG_NS = 3 * 10**9  # as long as a storage's clock may be coarse or behind
_FEW = 10
_LOOKUPS_AT_ONCE = 10  # as many as botocore keeps connections
_ETAGS = ("ETag", "etag")
_TIMES = ("LastModified", "last_modified", "updated", "modified", "mtime")
_NO_NAMES = frozenset(("", ".", ".."))


class ObjectRoot:
    """A `Root` of the objects below an address; a path is a key without the address's prefix.

    A key with an empty component, `.` or `..` has no path. The rest of a key between slashes is a
    folder, as nearly every program shows it.

    Args:
        root: The name and the address.
        options: Options of fsspec's file system, in addition to its configuration.
    """

    def __init__(self, root: ObjectImageRoot, **options: Any) -> None:
        self._name = root.name
        self._address = root.address
        what = f"the object storage of image root {root.name!r}"
        self._files = ObjectFiles(root.address, what, **options)

    def below(self, path: str) -> str | None:
        """See `Root`; the path is an address."""
        if f"{path}/".startswith(f"{self._address}/"):
            return path[len(self._address) :].lstrip("/")
        return None

    def unavailable(self) -> str | None:
        """See `Root`."""
        try:
            if self._has_objects(seconds=_LOOK_SECONDS):
                return None
        except LookalikeError as error:
            return str(error)
        return f"image root {self._name!r} has no objects; check its bucket and its prefix"

    @contextmanager
    def opened(self, path: str, *, follow_links: bool = False) -> Iterator["_ObjectFile"]:
        """See `Root`; there are no links."""
        info = self._info(path)
        if info["type"] == "directory":
            raise folder_not_file()
        with ExitStack() as closing:
            yield _ObjectFile(info, lambda: closing.enter_context(self._download(path)))

    def check(self, path: str) -> str:
        """See `Root`; of the root itself, only its bucket has to exist."""
        path = self.spelled(path)
        if path:
            self._info(path)
        else:
            self._has_objects()
        return path

    def spelled(self, path: str) -> str:
        """See `Root`; accents may be composed or not."""
        return path if path.isascii() else next(filter(self._exists, spellings(path)), path)

    def walk(
        self, path: str, *, recursive: bool, ignore: Sequence[str], follow_links: bool, skips: Skips
    ) -> Iterator[Listed]:
        """See `Root`."""
        info = self._info(path) if path else None
        if info is not None and info["type"] != "directory":
            yield Listed(path, _stamp(info))
            return
        prefix = f"{path}/" if path else ""
        ignored, skipped = Ignored(ignore), ""
        for below, info in self._below(path, recursive=recursive):
            if info["type"] == "directory" or ignored.file(below):
                continue
            skip, what = _skip(below)
            if skip is None:
                yield Listed(prefix + below, _stamp(info))
            elif what != skipped:  # a skipped folder counts as one
                skips.add(skip, prefix + what)
                skipped = what

    def entries(self, path: str) -> tuple[list[str], int]:
        """See `Root`."""
        if path and self._info(path)["type"] != "directory":
            raise outside_roots()
        folders, files = [], 0
        for below, info in self._below(path, recursive=False):
            if info["type"] != "directory":
                files += 1
            elif below not in _NO_NAMES:
                folders.append(below)
        return sorted(folders), files

    def presences(self, files: Sequence[Missed]) -> list[Presence]:
        """See `Root`.

        An object is gone if the storage says so and has others, unlike a wrong address.
        """
        with ThreadPoolExecutor(_LOOKUPS_AT_ONCE) as threads:
            states = list(threads.map(self._presence, [file.path for file in files]))
        if Presence.GONE in states and self.unavailable() is not None:
            return [Presence.UNCERTAIN if it is Presence.GONE else it for it in states]
        return states

    def _presence(self, path: str) -> Presence:
        try:
            info = self._info(path)
        except PathNotFound:
            return Presence.GONE
        except Forbidden:
            return Presence.UNCERTAIN
        return Presence.GONE if info["type"] == "directory" else Presence.THERE

    def _key(self, path: str) -> str:
        if normalised(path) != path:
            raise outside_roots()
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise _missing(path) from error
        return f"{self._files.root}/{path}" if path else self._files.root

    def _info(self, path: str) -> Info:
        with self._explained(path):
            info: Info = self._files.call("info", self._key(path))
            return info

    def _exists(self, path: str) -> bool:
        try:
            self._info(path)
        except (PathNotFound, Forbidden):
            return False
        return True

    def _download(self, path: str) -> BinaryIO:
        with self._explained(path):
            return self._files.download(self._key(path))

    def _has_objects(self, *, seconds: float = SECONDS) -> bool:
        some = self._below("", recursive=True, at_most=_FEW, seconds=seconds)
        return next(some, None) is not None

    def _below(self, path: str, **options: Any) -> Iterator[tuple[str, Info]]:
        """Yield what is below a folder, by its path below it, without the marks of folders."""
        folder = self._key(path)
        with self._explained(path):
            for info in self._files.listed(folder, **options):
                below = info["name"][len(folder) + 1 :]
                is_mark = below == "" or (below.endswith("/") and not info["size"])
                if not is_mark:
                    yield below, info

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if not path:
                raise PathNotFound(f"the bucket of image root {self._name!r} is missing") from error
            raise _missing(path) from error
        except StorageUnavailable as error:
            if isinstance(error.__cause__, PermissionError):
                raise Forbidden(
                    f"the object storage of image root {self._name!r} does not let the service "
                    "read this; change its permissions or the credentials"
                ) from error
            raise


class _ObjectFile:
    """An `OpenedFile` in object storage, which is fetched when its bytes are needed."""

    def __init__(self, info: Info, download: Callable[[], BinaryIO]) -> None:
        self._opened_ns = time.time_ns()
        self._download = download
        self.stamp = _stamp(info)

    @cached_property
    def stream(self) -> BinaryIO:
        """See `OpenedFile`."""
        return self._download()

    def reading(self) -> Reading:
        """See `OpenedFile`.

        The stamp is older than the bytes. If an object changed in between, its next stamp differs.
        """
        mtime_ns = self.stamp.mtime_ns
        if mtime_ns is not None and mtime_ns > self._opened_ns - _YOUNG_NS:
            mtime_ns = None
        # Other bytes of a key are a change: no other disk can be mounted in its place.
        return Reading(self._opened_ns, self._opened_ns, mtime_ns, etag=self.stamp.etag)


def _stamp(info: Info) -> Stamp:
    etag = next((str(info[name]).strip('"') for name in _ETAGS if info.get(name)), None)
    if etag is not None and len(etag) <= MAX_ETAG:
        return Stamp(info["size"], None, etag)
    changed = next((info[name] for name in _TIMES if info.get(name)), None)
    return Stamp(info["size"], _nanoseconds(changed))


def _nanoseconds(changed: object) -> int | None:
    """Return a time of a file system in nanoseconds since 1970, `None` if it has another form."""
    if isinstance(changed, datetime):
        changed = changed.timestamp()
    return int(changed * 10**9) if isinstance(changed, int | float) else None


def _skip(below: str) -> tuple[Skip | None, str]:
    """Return the reason why a walk skips an object, and the path of what it skips."""
    components = below.split("/")
    if "\0" in below or not _NO_NAMES.isdisjoint(components):
        return Skip.SPECIAL, below
    for at, component in enumerate(components, 1):
        if is_clutter(component):
            return Skip.CLUTTER, "/".join(components[:at])
    return (Skip.TOO_DEEP if len(components) > MAX_DEPTH else None), below


def _missing(path: str) -> PathNotFound:
    shown = os.fsencode(path).decode("utf-8", "replace")
    return PathNotFound(
        f"{shown!r} does not exist; check the spelling, including upper and lower case"
    )
