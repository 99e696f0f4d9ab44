"""A store of uploaded bytes in a folder, which processes on several machines may share."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from bento_service.errors import StorageFull
from bento_service.storage.blob_store import (
    Readable,
    Staged,
    copy_stream,
    not_stored,
    raising_storage_full,
)
from bento_service.storage.durable_files import sync_folder

_SPARED_BYTES = 64 * 2**20


class FolderBlobStore:
    """A `BlobStore` of files `ab/abcd…`, each written atomically and synced to the disk.

    Partial files are below `incoming`, locked by the process that writes them. The first write
    creates the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"

    def remove_partial(self) -> None:
        """See `BlobStore`."""
        for path in self._incoming.iterdir() if self._incoming.is_dir() else ():
            with suppress(FileNotFoundError), path.open("rb") as partial, suppress(BlockingIOError):
                fcntl.flock(partial, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def stage(self, stream: Readable) -> Staged:
        """See `BlobStore`."""
        with raising_storage_full():
            self._incoming.mkdir(parents=True, exist_ok=True)
            file, path = self._partial()
            try:
                sha256, size = copy_stream(stream, file)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                _drop(file, path)
                raise
        return Staged(file, path, sha256, size)

    def _partial(self) -> tuple[BinaryIO, Path]:
        """Return a new file that is locked, and its path."""
        while True:
            descriptor, name = tempfile.mkstemp(dir=self._incoming)
            file = os.fdopen(descriptor, "w+b")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return file, Path(name)
            file.close()  # `remove_partial` locked it first

    def keep(self, staged: Sequence[Staged]) -> None:
        """See `BlobStore`."""
        with raising_storage_full():
            for folder in {self._move(each) for each in staged}:
                sync_folder(folder)

    def _move(self, staged: Staged) -> Path:
        """Move a staged file to its place, and return its folder, which has to be synced."""
        path = self._path(staged.sha256)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            sync_folder(self._folder)
        if not path.exists():
            staged.path.rename(path)
        return path.parent

    def drop(self, staged: Sequence[Staged]) -> None:
        """See `BlobStore`."""
        for each in staged:
            _drop(each.file, each.path)

    def open(self, sha256: str) -> BinaryIO:
        """See `BlobStore`."""
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise not_stored() from error

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """See `BlobStore`."""
        sizes = {}
        for digest in digests:
            with suppress(FileNotFoundError):
                sizes[digest] = self._path(digest).stat().st_size
        return sizes

    def stored(self) -> Iterator[str]:
        """See `BlobStore`."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if len(folder.name) == 2 and folder.is_dir():
                yield from (file.name for file in folder.iterdir())

    def remove(self, digests: set[str]) -> None:
        """See `BlobStore`."""
        for digest in digests:
            self._path(digest).unlink(missing_ok=True)

    def check_room(self, size: int) -> None:
        """Check that the disk keeps room for the catalogue too; see `BlobStore`."""
        existing = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        if shutil.disk_usage(existing).free < size + _SPARED_BYTES:
            raise StorageFull(
                f"the disk for uploads has no room for {size} bytes; free room and send it again"
            )

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256


def _drop(file: BinaryIO, path: Path) -> None:
    path.unlink(missing_ok=True)
    file.close()
