"""A store of uploaded bytes in object storage, by fsspec."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, BinaryIO, TypeVar

from bento_service.storage.blob_store import (
    Readable,
    Staged,
    copy_stream,
    not_stored,
    raising_storage_full,
)
from bento_service.storage.object_files import LONG_SECONDS, SECONDS, ObjectFiles, unnamed_file

_AT_ONCE = 16
_BYTES_A_SECOND = 2**20
_T = TypeVar("_T")
_R = TypeVar("_R")


class ObjectBlobStore:
    """A `BlobStore` of objects `PREFIX/ab/abcd…`.

    An object appears when all of it has arrived. Bytes are staged and read through files that have
    no name, so that a crash leaves none.

    Args:
        address: The bucket and the prefix, such as `s3://bucket/prefix`.
        options: Options of fsspec's file system, in addition to its configuration.
    """

    def __init__(self, address: str, **options: Any) -> None:
        self._files = ObjectFiles(address, "the object storage of uploads", **options)

    def stage(self, stream: Readable) -> Staged:
        """See `BlobStore`."""
        file, path = unnamed_file()
        try:
            with raising_storage_full():
                sha256, size = copy_stream(stream, file)
                file.flush()
        except BaseException:
            file.close()
            raise
        return Staged(file, path, sha256, size)

    def keep(self, staged: Sequence[Staged]) -> None:
        """See `BlobStore`."""
        self._each(self._put, {each.sha256: each for each in staged}.values())

    def _put(self, staged: Staged) -> None:
        if self._size(staged.sha256) == staged.size:
            return
        key, seconds = self._key(staged.sha256), SECONDS + staged.size / _BYTES_A_SECOND
        try:
            self._files.call("put_file", str(staged.path), key, seconds=seconds)
        except FileNotFoundError as error:
            raise self._files.unavailable("has no such bucket") from error

    def drop(self, staged: Sequence[Staged]) -> None:
        """See `BlobStore`."""
        for each in staged:
            each.file.close()

    def open(self, sha256: str) -> BinaryIO:
        """See `BlobStore`."""
        try:
            return self._files.download(self._key(sha256))
        except FileNotFoundError as error:
            raise not_stored() from error

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """See `BlobStore`."""
        wanted = list(digests)
        sizes = zip(wanted, self._each(self._size, wanted), strict=True)
        return {digest: size for digest, size in sizes if size is not None}

    def _size(self, sha256: str) -> int | None:
        try:
            size: int = self._files.call("info", self._key(sha256))["size"]
        except FileNotFoundError:
            return None
        return size

    def stored(self) -> Iterator[str]:
        """See `BlobStore`."""
        for folder in self._names(self._files.root):
            if len(folder) == 2:
                yield from self._names(f"{self._files.root}/{folder}")

    def _names(self, folder: str) -> list[str]:
        try:
            paths = self._files.call("ls", folder, detail=False, seconds=LONG_SECONDS)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def remove(self, digests: set[str]) -> None:
        """See `BlobStore`."""
        keys = sorted(map(self._key, digests))
        if not keys:
            return
        try:
            self._files.call("rm", keys)
        except FileNotFoundError:  # some file systems stop at the first one that is missing
            for key in keys:
                with suppress(FileNotFoundError):
                    self._files.call("rm_file", key)

    def remove_partial(self) -> None:
        """Do nothing, because staged files have no names."""

    def check_room(self, size: int) -> None:
        """Accept any size, because object storage has no known limit."""

    def _key(self, sha256: str) -> str:
        return f"{self._files.root}/{sha256[:2]}/{sha256}"

    def _each(self, function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Call a function for each item, some at once."""
        with ThreadPoolExecutor(_AT_ONCE, "object storage") as threads:
            return list(threads.map(function, items))
