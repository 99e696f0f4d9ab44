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


def files_of(
    folder: str | os.PathLike[str], options: FolderOptions, tally: Tally
) -> Iterator[FolderFile]:
    """Yield the selected files of a folder, sorted; links to folders are not followed."""
    with reading("the folder"):
        root = Path(folder)
    with reading(str(root)):
        is_folder = root.is_dir()
    if not is_folder:
        raise UsageError(f"{str(root)!r} is not a folder; `upload` takes files")
    wanted = _patterns("pattern", options.pattern)
    ignored = _patterns("ignore", options.ignore)
    return _walked(root, wanted, ignored, tally, recursive=options.recursive)


def _patterns(name: str, patterns: str | Iterable[str]) -> Patterns:
    try:
        return Patterns([patterns] if isinstance(patterns, str) else patterns)
    except ValueError as error:
        advice = f"give patterns as in a .gitignore: {error}"
        raise UsageError(f"{name}={patterns!r}; {advice}") from error


def _walked(
    root: Path, wanted: Patterns, ignored: Patterns, tally: Tally, *, recursive: bool
) -> Iterator[FolderFile]:

    def unreadable(error: OSError) -> None:
        tally.add(failed=(failure_of(_name(Path(error.filename), root), error),))

    top = root.resolve()

    def is_included(path: Path, *, is_folder: bool) -> bool:
        name = _name(path, root)
        is_wanted = recursive if is_folder else wanted.file(name)
        is_ignored = not is_wanted or ignored.entry(name, is_folder=is_folder)
        return not is_ignored and not _is_skipped(path, name, top, tally, is_folder=is_folder)

    for folder, folders, files in os.walk(root, onerror=unreadable):
        paths = (Path(folder) / name for name in sorted(folders))
        folders[:] = [path.name for path in paths if is_included(path, is_folder=True)]
        for path in (Path(folder) / name for name in sorted(files)):
            if is_included(path, is_folder=False):
                yield from _file(path, _name(path, root), tally)


def _is_skipped(path: Path, name: str, top: Path, tally: Tally, *, is_folder: bool) -> bool:
    """Return True, and count it, for clutter and for links that are not followed."""
    is_link = path.is_symlink()
    if is_clutter(path.name):
        code, detail = "clutter", "another program stores it next to the pictures"
    elif is_link and is_folder:
        code, detail = "link_to_folder", "links to folders are not followed"
    elif is_link and not Path(os.path.realpath(path)).is_relative_to(top):
        code = "link_outside"
        detail = f"the link leads outside of {top.name!r}; upload the folder that has its file"
    else:
        return False
    tally.add(left_out=(JobError(source=name, code=code, detail=printable(detail)),))
    return True


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
