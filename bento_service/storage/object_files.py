"""Objects below an address in object storage, by fsspec."""

import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from fsspec.asyn import sync
from fsspec.core import url_to_fs

from bento_service.errors import StorageUnavailable

SECONDS = 60.0
LONG_SECONDS = 300.0
_KEYS_A_PAGE = 1000
# Without them botocore waits a minute for each of five tries.
_S3_LIMITS = {
    "connect_timeout": 5,
    "read_timeout": 15,
    "retries": {"total_max_attempts": 2, "mode": "standard"},
}
_S3_SCHEMES = ("s3", "s3a")
Info = dict[str, Any]
"""The status of an object or a folder in fsspec's form: `name`, `size`, `type` and more."""
_log = logging.getLogger(__name__)


class ObjectFiles:
    """A file system of fsspec, with time limits and our errors. Threads may share it.

    Args:
        address: The bucket and the prefix, such as `s3://bucket/prefix`.
        what: Names the storage in messages.
        options: Options of fsspec's file system, in addition to its configuration.

    Attributes:
        root: The address as the file system writes it, without a slash at its end.
    """

    def __init__(self, address: str, what: str, **options: Any) -> None:
        self._address = address
        self._what = what
        scheme = address.partition("://")[0]
        self._is_s3 = scheme in _S3_SCHEMES
        limits = {"config_kwargs": _S3_LIMITS} if self._is_s3 else {}
        # Other processes change the objects, so a list of them is only true when it is made.
        fixed = {"use_listings_cache": False, "skip_instance_cache": True}
        self._files, root = url_to_fs(address, **{**limits, **fixed, **options})
        self.root = root.rstrip("/")

    def call(self, method: str, *arguments: Any, seconds: float = SECONDS, **options: Any) -> Any:
        """Call a method of the file system with a time limit, if it supports one.

        Raises:
            FileNotFoundError: The object is missing.
            StorageUnavailable: The call failed.
        """
        if not self._files.async_impl:
            function = getattr(self._files, method)
            return self._explained(method, lambda: function(*arguments, **options))
        function = getattr(self._files, f"_{method}")
        return self._explained(
            method,
            lambda: sync(self._files.loop, function, *arguments, timeout=seconds, **options),
        )

    def download(self, key: str) -> BinaryIO:
        """Return the bytes of an object in a file that has no name; errors as in `call`."""
        file, path = unnamed_file()
        try:
            self.call("get_file", key, str(path), seconds=LONG_SECONDS)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def listed(
        self,
        folder: str,
        *,
        recursive: bool = True,
        at_most: int | None = None,
        seconds: float = SECONDS,
    ) -> Iterator[Info]:
        """Yield what is below a folder: its objects, and its folders unless it is recursive.

        The order is stable. `at_most` asks for few objects, but more may come. `seconds` is the
        time limit of each page. Errors as in `call`.
        """
        if self._is_s3:  # by page, since a bucket may have more keys than fit into memory
            yield from self._paged(folder, seconds, recursive=recursive, at_most=at_most)
            return
        depth = None if recursive and at_most is None else 1
        options = {"maxdepth": depth, "withdirs": depth is not None, "detail": True}
        found = self.call("find", folder, seconds=LONG_SECONDS, **options)
        yield from (info for name, info in sorted(found.items()) if name != folder)

    def _paged(
        self, folder: str, seconds: float, *, recursive: bool, at_most: int | None
    ) -> Iterator[Info]:
        bucket, _, key = folder.partition("/")
        keys = self._files._iterdir(
            bucket,
            max_items=at_most,
            delimiter="" if recursive else "/",
            prefix=f"{key}/" if key else "",
        )
        while page := self._explained(
            "list", lambda: sync(self._files.loop, _page_of, keys, timeout=seconds)
        ):
            yield from page

    def _explained(self, method: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except FileNotFoundError:
            raise
        except Exception as error:
            _log.warning(
                "%s of %s failed: %s: %s", method, self._address, type(error).__name__, error
            )
            raise self.unavailable("does not answer, or refuses") from error

    def unavailable(self, problem: str) -> StorageUnavailable:
        """Return the error of a storage that has a problem."""
        return StorageUnavailable(f"{self._what} {problem}; nothing is lost, try again shortly")


async def _page_of(keys: AsyncIterator[Info]) -> list[Info]:
    """Return some of the keys that are left; none at the end."""
    page = []
    async for info in keys:
        page.append(info)
        if len(page) == _KEYS_A_PAGE:
            break
    return page


def unnamed_file() -> tuple[BinaryIO, Path]:
    """Return a temporary file without a name, and a path that opens it again."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by its user
    return file, Path(f"/proc/self/fd/{file.fileno()}")
