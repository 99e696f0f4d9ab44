"""Sending a folder: what is in it, what goes in one request, and what became of it.

Nothing here talks to the service. `Client` and `AsyncClient` do, each in its way.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from client_sdk._arguments import text_or_texts
from client_sdk._folder_report import FailedFile, FolderFile, Tally, failure_of
from client_sdk._pictures import Part, printable
from client_sdk.errors import ApiError, LookalikeError, UsageError
from client_sdk.patterns import Patterns
from client_sdk.schemas import DEFAULT_COLLECTION, Info

PICTURES = (
    *("*.jpg", "*.jpeg", "*.jpe", "*.jfif", "*.png", "*.webp", "*.gif"),
    *("*.bmp", "*.dib", "*.tif", "*.tiff", "*.avif"),
)
"""The names that files of the readable formats usually have."""

FILES_A_STEP = 1000
"""Files that are held in memory at once, and asked about in one call."""

_BLOCK = 2**20
_ROOM_OF_A_FORM = 0.9  # of the largest request; the rest is for names and boundaries
_REFUSED = frozenset({400, 413, 415, 422})

T = TypeVar("T")


class FolderKeywords(TypedDict, total=False):
    """The options of an upload of a folder; see `Client.upload_folder`."""

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
    """The same, with what is meant where nothing is said.

    Raises:
        UsageError: If a number is below 1, or patterns are neither a text nor a list of texts.
    """

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
        for name in ("concurrency", "batch_files", "batch_bytes"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        for name in ("pattern", "ignore"):
            patterns = text_or_texts(name, getattr(self, name), "patterns, such as `*.png`")
            object.__setattr__(self, name, tuple(patterns))

    @property
    def most_open(self) -> int:
        """Jobs that may be unfinished before their files are let go of."""
        return 4 * self.concurrency


def files_of(
    folder: str | os.PathLike[str], options: FolderOptions, tally: Tally
) -> Iterator[FolderFile]:
    """The files of a folder that are meant, in the order of their paths.

    Links to folders are not followed.

    Raises:
        UsageError: If it is no folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise UsageError(f"{str(root)!r} is not a folder; `upload` takes files")
    return _walked(root, options, tally)


def _walked(root: Path, options: FolderOptions, tally: Tally) -> Iterator[FolderFile]:
    wanted, ignored = Patterns(tuple(options.pattern)), Patterns(tuple(options.ignore))

    def unreadable(error: OSError) -> None:
        tally.failed([failure_of(_name(Path(error.filename), root), error)])

    for above, below, names in os.walk(root, onerror=unreadable):
        inside = {one: _name(Path(above) / one, root) for one in (*below, *names)}
        below[:] = sorted(
            one
            for one in below
            if options.recursive and not ignored.entry(inside[one], is_folder=True)
        )
        for one in sorted(names):
            name = inside[one]
            if wanted.file(name) and not ignored.entry(name, is_folder=False):
                yield from _file(Path(above) / one, name, tally)


def steps(files: Iterable[T], count: int = FILES_A_STEP) -> Iterator[list[T]]:
    """Some at a time."""
    rest = iter(files)
    while some := list(islice(rest, count)):
        yield some


def digested(file: FolderFile) -> FolderFile | FailedFile:
    """The file with the digest of its bytes."""
    digest = hashlib.sha256()
    try:
        with file.path.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        return failure_of(file.name, error)
    return replace(file, sha256=digest.hexdigest())


def to_send(
    files: Sequence[FolderFile | FailedFile], known: Iterable[str], tally: Tally
) -> list[FolderFile]:
    """Those that can be read, are not known, and have no equal before them."""
    readable = [file for file in files if isinstance(file, FolderFile)]
    tally.failed(file for file in files if isinstance(file, FailedFile))
    skipped, wanted = set(known), list[FolderFile]()
    for file in readable:
        if file.sha256 not in skipped:
            wanted.append(file)
            skipped.add(file.sha256)
    tally.known(len(readable) - len(wanted))
    return wanted


def batches(
    files: Iterable[FolderFile], options: FolderOptions, info: Info, tally: Tally
) -> Iterator[list[FolderFile]]:
    """What goes in one request; files that the service would not take are refused here."""
    room = min(options.batch_bytes, int(info.limits.max_request_bytes * _ROOM_OF_A_FORM))
    batch, held = list[FolderFile](), 0
    for file in files:
        if file.size > info.limits.max_upload_bytes:
            most = info.limits.max_upload_bytes
            detail = f"the file has {file.size} bytes; at most {most} are accepted"
            tally.failed([FailedFile(file.name, "too_large", detail)])
            continue
        if batch and (len(batch) >= options.batch_files or held + file.size > room):
            yield batch
            batch, held = [], 0
        batch.append(file)
        held += file.size
    if batch:
        yield batch


def parts_of(batch: Sequence[FolderFile]) -> tuple[Part, ...]:
    """The files of one request."""
    return tuple(Part("files", file.name, file.path) for file in batch)


def is_about_files(error: Exception) -> bool:
    """Whether the files of a request are at fault, so that other requests may go well."""
    if isinstance(error, ApiError):
        return error.status in _REFUSED
    return isinstance(error, UsageError) or not isinstance(error, LookalikeError)


def halves(batch: list[FolderFile]) -> tuple[list[FolderFile], list[FolderFile]]:
    """Both halves of a request, to find out which file is at fault."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def digests_of(files: Iterable[FolderFile | FailedFile]) -> list[str]:
    """The digests of those that could be read."""
    return [file.sha256 for file in files if isinstance(file, FolderFile)]


def _file(path: Path, name: str, tally: Tally) -> Iterator[FolderFile]:
    try:
        found = path.stat()
    except OSError as error:
        tally.found(1)
        tally.failed([failure_of(name, error)])
        return
    if stat.S_ISREG(found.st_mode):
        tally.found(1)
        yield FolderFile(path, name, found.st_size)


def _name(path: Path, root: Path) -> str:
    return printable(path.relative_to(root).as_posix())
