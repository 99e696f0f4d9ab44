"""The upload of a folder: its files, its options, and the batch of each request.

`AsyncFolderUpload` and `FolderUpload` send the requests; this module sends nothing.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from client_sdk._arguments import check_names, is_seconds, is_whole, metadata_of, text_or_texts
from client_sdk._calls.pictures import printable
from client_sdk._folder.report import FailedFile, FolderFile, Tally, failure_of
from client_sdk.errors import ApiError, LookalikeError, UsageError
from client_sdk.schemas import DEFAULT_COLLECTION, Info
from client_sdk.schemas.patterns import Patterns

PICTURES = (
    *("*.jpg", "*.jpeg", "*.jpe", "*.jfif", "*.png", "*.webp", "*.gif"),
    *("*.bmp", "*.dib", "*.tif", "*.tiff", "*.avif"),
)
"""The usual file names of the supported formats, as patterns."""

FILES_A_STEP = 1000
"""The number of files that are in memory at once, and whose digests one call sends."""

_ROOM_OF_A_FORM = 0.9  # share of the largest request; the rest is for names and boundaries
_REFUSED = frozenset({400, 413, 415, 422})

T = TypeVar("T")


class FolderKeywords(TypedDict, total=False):
    """The options of the upload of a folder; see `Client.upload_folder`."""

    collection: str
    pattern: str | Iterable[str]
    ignore: str | Iterable[str]
    recursive: bool
    metadata: Mapping[str, Any] | None
    concurrency: int
    batch_files: int
    batch_bytes: int
    skip_known: bool
    wait: bool
    timeout: float
    progress: bool


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

    @classmethod
    def of(cls, options: FolderKeywords) -> "FolderOptions":
        """Return the options of a caller's keywords."""
        check_names("upload_folder", options, FolderKeywords.__annotations__)
        metadata_of(options.get("metadata"))
        return cls(**options)

    def __post_init__(self) -> None:
        for name in ("concurrency", "batch_files", "batch_bytes"):
            if not is_whole(getattr(self, name), 1):
                raise UsageError(f"{name} is {getattr(self, name)!r}; give 1 or more")
        if not is_seconds(self.timeout):
            raise UsageError(f"timeout is {self.timeout!r}; give a number of seconds")


def files_of(
    folder: str | os.PathLike[str], options: FolderOptions, tally: Tally
) -> Iterator[FolderFile]:
    """Yield the selected files of a folder in a fixed order; links to folders are not followed."""
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{str(root)!r} is not a folder; `upload` takes files")
    wanted = _patterns("pattern", options.pattern)
    ignored = _patterns("ignore", options.ignore)
    return _walked(root, wanted, ignored, tally, recursive=options.recursive)


def _patterns(name: str, patterns: str | Iterable[str]) -> Patterns:
    lines = text_or_texts(name, patterns, "patterns, such as `*.png`")
    try:
        return Patterns(lines)
    except ValueError as error:
        raise UsageError(
            f"{name}={patterns!r}; give patterns as in a .gitignore: {error}"
        ) from error


def _walked(
    root: Path, wanted: Patterns, ignored: Patterns, tally: Tally, *, recursive: bool
) -> Iterator[FolderFile]:

    def unreadable(error: OSError) -> None:
        tally.add(failed=(failure_of(_name(Path(error.filename), root), error),))

    for above, below, names in os.walk(root, onerror=unreadable):
        inside = {one: _name(Path(above) / one, root) for one in (*below, *names)}
        below[:] = sorted(
            one for one in below if recursive and not ignored.entry(inside[one], is_folder=True)
        )
        for one in sorted(names):
            name = inside[one]
            if wanted.file(name) and not ignored.entry(name, is_folder=False):
                yield from _file(Path(above) / one, name, tally)


def steps(files: Iterable[T], count: int = FILES_A_STEP) -> Iterator[list[T]]:
    """Yield lists of at most `count` files."""
    rest = iter(files)
    while some := list(islice(rest, count)):
        yield some


def digested(file: FolderFile) -> FolderFile | FailedFile:
    """Return the file with its digest, or a failure if it cannot be read."""
    try:
        with file.path.open("rb") as opened:
            return replace(file, sha256=hashlib.file_digest(opened, "sha256").hexdigest())
    except OSError as error:
        return failure_of(file.name, error)


def to_send(
    files: Sequence[FolderFile | FailedFile], known: Iterable[str], tally: Tally
) -> list[FolderFile]:
    """Return the readable files whose bytes are neither known nor those of an earlier file."""
    readable = [file for file in files if isinstance(file, FolderFile)]
    tally.add(failed=tuple(file for file in files if isinstance(file, FailedFile)))
    skipped, wanted = set(known), list[FolderFile]()
    for file in readable:
        if file.sha256 not in skipped:
            wanted.append(file)
            skipped.add(file.sha256)
    tally.add(known=len(readable) - len(wanted))
    return wanted


def batches(
    files: Iterable[FolderFile], options: FolderOptions, info: Info, tally: Tally
) -> Iterator[list[FolderFile]]:
    """Yield the files of each request; a file over the service's limit is counted as failed."""
    room = min(options.batch_bytes, int(info.limits.max_request_bytes * _ROOM_OF_A_FORM))
    batch, size = list[FolderFile](), 0
    for file in files:
        if file.size > info.limits.max_upload_bytes:
            most = info.limits.max_upload_bytes
            detail = f"the file has {file.size} bytes; at most {most} are accepted"
            tally.add(failed=(FailedFile(file.name, "too_large", detail),))
            continue
        if batch and (len(batch) >= options.batch_files or size + file.size > room):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def is_about_files(error: Exception) -> bool:
    """Return True if an error is caused by the files of a request; others may still succeed."""
    if isinstance(error, ApiError):
        return error.status in _REFUSED
    return isinstance(error, UsageError) or not isinstance(error, LookalikeError)


def digests_of(files: Iterable[FolderFile | FailedFile]) -> list[str]:
    """Return the digests of the readable files."""
    return [file.sha256 for file in files if isinstance(file, FolderFile)]


def names_without(files: Iterable[FolderFile | FailedFile], held: set[str]) -> list[str]:
    """Return the names of the files whose digests are not in `held`, and of unreadable files."""
    return [
        file.name if isinstance(file, FolderFile) else file.path
        for file in files
        if isinstance(file, FailedFile) or file.sha256 not in held
    ]


def _file(path: Path, name: str, tally: Tally) -> Iterator[FolderFile]:
    try:
        found = path.stat()
    except OSError as error:
        tally.add(found=1, failed=(failure_of(name, error),))
        return
    if stat.S_ISREG(found.st_mode):
        tally.add(found=1)
        yield FolderFile(path, name, found.st_size)


def _name(path: Path, root: Path) -> str:
    return printable(path.relative_to(root).as_posix())
