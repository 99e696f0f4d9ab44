"""A store of uploaded bytes in object storage, by fsspec."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from fsspec.asyn import sync
from fsspec.core import url_to_fs

from bento_service.errors import StorageUnavailable
from bento_service.storage.blob_store import (
    Readable,
    Staged,
    copy_stream,
    not_stored,
    raising_storage_full,
)

_AT_ONCE = 16
_SECONDS = 60.0
_LONG_SECONDS = 300.0
_BYTES_A_SECOND = 2**20
# Without them botocore waits a minute for each of five tries.
_S3 = {
    "connect_timeout": 5,
    "read_timeout": 15,
    "retries": {"total_max_attempts": 2, "mode": "standard"},
}
_OPTIONS = {"s3": {"config_kwargs": _S3}}
_T = TypeVar("_T")
_R = TypeVar("_R")
_log = logging.getLogger(__name__)


class ObjectBlobStore:
    """A `BlobStore` of objects `PREFIX/ab/abcd…`.

    An object appears when all of it has arrived. Bytes are staged and read through files that have
    no name, so that a crash leaves none.

    Args:
        address: The bucket and the prefix, such as `s3://bucket/prefix`.
        options: Options of fsspec's file system, in addition to its configuration.
    """

    def __init__(self, address: str, **options: Any) -> None:
        self._address = address
        scheme = address.partition("://")[0]
        # Other processes change the objects, so a list of them is only true when it is made.
        fixed = {"use_listings_cache": False, "skip_instance_cache": True}
        self._files, root = url_to_fs(address, **{**_OPTIONS.get(scheme, {}), **fixed, **options})
        self._root = root.rstrip("/")

    def stage(self, stream: Readable) -> Staged:
        """See `BlobStore`."""
        file, path = _unnamed_file()
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
        key, seconds = self._key(staged.sha256), _SECONDS + staged.size / _BYTES_A_SECOND
        try:
            self._call("put_file", str(staged.path), key, seconds=seconds)
        except FileNotFoundError as error:
            raise StorageUnavailable(_message("has no such bucket")) from error

    def drop(self, staged: Sequence[Staged]) -> None:
        """See `BlobStore`."""
        for each in staged:
            each.file.close()

    def open(self, sha256: str) -> BinaryIO:
        """See `BlobStore`."""
        file, path = _unnamed_file()
        try:
            self._call("get_file", self._key(sha256), str(path), seconds=_LONG_SECONDS)
        except FileNotFoundError as error:
            file.close()
            raise not_stored() from error
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """See `BlobStore`."""
        wanted = list(digests)
        sizes = zip(wanted, self._each(self._size, wanted), strict=True)
        return {digest: size for digest, size in sizes if size is not None}

    def _size(self, sha256: str) -> int | None:
        try:
            size: int = self._call("info", self._key(sha256))["size"]
        except FileNotFoundError:
            return None
        return size

    def stored(self) -> Iterator[str]:
        """See `BlobStore`."""
        for folder in self._names(self._root):
            if len(folder) == 2:
                yield from self._names(f"{self._root}/{folder}")

    def _names(self, folder: str) -> list[str]:
        try:
            paths = self._call("ls", folder, detail=False, seconds=_LONG_SECONDS)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def remove(self, digests: set[str]) -> None:
        """See `BlobStore`."""
        keys = sorted(map(self._key, digests))
        if not keys:
            return
        try:
            self._call("rm", keys)
        except FileNotFoundError:  # some file systems stop at the first one that is missing
            for key in keys:
                with suppress(FileNotFoundError):
                    self._call("rm_file", key)

    def remove_partial(self) -> None:
        """Do nothing, because staged files have no names."""

    def check_room(self, size: int) -> None:
        """Accept any size, because object storage has no known limit."""

    def _key(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"

    def _call(self, method: str, *arguments: Any, seconds: float = _SECONDS, **options: Any) -> Any:
        """Call a method of the file system with a time limit, if it supports one.

        Raises:
            FileNotFoundError: The object is missing.
            StorageUnavailable: The call failed.
        """
        try:
            if self._files.async_impl:
                function = getattr(self._files, f"_{method}")
                return sync(self._files.loop, function, *arguments, timeout=seconds, **options)
            return getattr(self._files, method)(*arguments, **options)
        except FileNotFoundError:
            raise
        except Exception as error:
            _log.warning(
                "%s of %s failed: %s: %s", method, self._address, type(error).__name__, error
            )
            raise StorageUnavailable(_message("does not answer, or refuses")) from error

    def _each(self, function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
        """Call a function for each item, some at once."""
        with ThreadPoolExecutor(_AT_ONCE, "object storage") as threads:
            return list(threads.map(function, items))


def _message(problem: str) -> str:
    return f"the object storage of uploads {problem}; nothing is lost, try again shortly"


def _unnamed_file() -> tuple[BinaryIO, Path]:
    """Return a temporary file without a name, and a path that opens it again."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by its user
    return file, Path(f"/proc/self/fd/{file.fileno()}")
