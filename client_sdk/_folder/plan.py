"""The plan of the upload of a folder: its options, its files and the batches to send."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from client_sdk._arguments import check_json, check_least
from client_sdk._calls.pictures import printable, reading
from client_sdk._folder.report import FolderFile, Tally, failure_of
from client_sdk.errors import ApiError, LookalikeError, UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Info, JobError
from client_sdk.schemas.patterns import Patterns, is_clutter

PICTURES = (
    *("*.jpg", "*.jpeg", "*.jpe", "*.jfif", "*.png", "*.webp", "*.gif"),
    *("*.bmp", "*.dib", "*.tif", "*.tiff", "*.avif"),
)
"""The usual file names of the supported formats, as patterns."""

FILES_A_STEP = 1000  # files that are in memory at once, and whose digests one call sends
_FILES_SHARE = 0.9  # of the largest request; the rest is for names and boundaries
_FILE_STATUSES = frozenset({400, 413, 415, 422})  # of requests that are rejected for their files

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """The checked options of the upload of a folder, with their defaults."""

    collection: str = DEFAULT_COLLECTION
    pattern: str | Iterable[str] = PICTURES
    ignore: str | Iterable[str] = ()
    recursive: bool = True
    metadata: Mapping[str, Any] | None = None
    concurrency: int = 4
    batch_files: int = 100
    batch_bytes: int = 32 * 2**20
    skip_known: bool = True
    wait: bool = True
    timeout: float = 3600.0
    progress: bool = False

    def __post_init__(self) -> None:
        check_json("metadata", self.metadata or {})
        counts = ("concurrency", "batch_files", "batch_bytes")
        check_least(1, **{name: getattr(self, name) for name in counts})
        check_least(0, timeout=self.timeout)


class Walk:
    """The selected files of a folder, sorted; links to folders are not followed."""

    def __init__(
        self, folder: str | os.PathLike[str], options: FolderOptions, tally: Tally
    ) -> None:
        with reading("the folder"):
            self._root = Path(folder)
        with reading(str(self._root)):
            self._top = self._root.resolve()
            is_folder = self._root.is_dir()
        if not is_folder:
            raise UsageError(f"{str(self._root)!r} is not a folder; `upload` takes files")
        self._wanted = _patterns("pattern", options.pattern)
        self._ignored = _patterns("ignore", options.ignore)
        self._recursive = options.recursive
        self._tally = tally

    def __iter__(self) -> Iterator[FolderFile]:
        for place, folders, files in os.walk(self._root, onerror=self._fail):
            paths = (Path(place, name) for name in sorted(folders))
            folders[:] = [path.name for path in paths if self._selects(path, is_folder=True)]
            for path in (Path(place, name) for name in sorted(files)):
                if self._selects(path, is_folder=False):
                    yield from self._file(path)

    def _selects(self, path: Path, *, is_folder: bool) -> bool:
        name = self._name(path)
        is_wanted = self._recursive if is_folder else self._wanted.file(name)
        if not is_wanted or self._ignored.entry(name, is_folder=is_folder):
            return False
        is_link = path.is_symlink()
        if is_clutter(path.name):
            code, detail = "clutter", "another program stores it next to the pictures"
        elif is_link and is_folder:
            code, detail = "link_to_folder", "links to folders are not followed"
        elif is_link and not Path(os.path.realpath(path)).is_relative_to(self._top):
            code, folder = "link_outside", printable(self._top.name)
            detail = f"the link leads outside of {folder!r}; upload the folder that has its file"
        else:
            return True
        self._tally.add(left_out=(JobError(source=name, code=code, detail=detail),))
        return False

    def _file(self, path: Path) -> Iterator[FolderFile]:
        try:
            found = path.stat()
        except OSError as error:
            self._tally.add(found=1)
            self._fail(error)
            return
        if stat.S_ISREG(found.st_mode):
            self._tally.add(found=1)
            yield FolderFile(path, self._name(path), found.st_size)

    def _fail(self, error: OSError) -> None:
        self._tally.add(failed=(failure_of(self._name(Path(error.filename)), error),))

    def _name(self, path: Path) -> str:
        return printable(path.relative_to(self._root).as_posix())


def _patterns(name: str, patterns: str | Iterable[str]) -> Patterns:
    try:
        return Patterns([patterns] if isinstance(patterns, str) else patterns)
    except ValueError as error:
        advice = f"give patterns as in a .gitignore: {error}"
        raise UsageError(f"{name}={patterns!r}; {advice}") from error


def steps(files: Iterable[T], count: int = FILES_A_STEP) -> Iterator[list[T]]:
    """Yield lists of at most `count` files."""
    rest = iter(files)
    while some := list(islice(rest, count)):
        yield some


def digested(file: FolderFile, tally: Tally) -> FolderFile | None:
    """Return the file with its digest; count it as failed if it cannot be read."""
    try:
        with file.path.open("rb") as opened:
            return replace(file, sha256=hashlib.file_digest(opened, "sha256").hexdigest())
    except OSError as error:
        tally.add(failed=(failure_of(file.name, error),))
        return None


def to_send(files: Sequence[FolderFile], known: set[str], tally: Tally) -> list[FolderFile]:
    """Return the files whose bytes are neither known nor those of an earlier file."""
    first: dict[str, FolderFile] = {}
    for file in files:
        first.setdefault(file.sha256, file)
    wanted = [file for digest, file in first.items() if digest not in known]
    tally.add(known=len(files) - len(wanted))
    return wanted


def batches(
    files: Iterable[FolderFile], options: FolderOptions, info: Info, tally: Tally
) -> Iterator[list[FolderFile]]:
    """Yield the files of each request; a file over the service's limit is counted as failed."""
    room = min(options.batch_bytes, int(info.limits.max_request_bytes * _FILES_SHARE))
    batch, size = list[FolderFile](), 0
    for file in files:
        if file.size > info.limits.max_upload_bytes:
            most = info.limits.max_upload_bytes
            detail = f"the file has {file.size} bytes; at most {most} are accepted"
            tally.add(failed=(JobError(source=file.name, code="too_large", detail=detail),))
            continue
        if batch and (len(batch) >= options.batch_files or size + file.size > room):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def is_caused_by_files(error: Exception) -> bool:
    """Return True if the files of a request caused an error, so that other files may succeed."""
    if isinstance(error, ApiError):
        return error.status in _FILE_STATUSES
    return isinstance(error, UsageError) or not isinstance(error, LookalikeError)
