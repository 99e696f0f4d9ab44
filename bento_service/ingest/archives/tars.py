"""Members of tar archives, compressed or not, in one pass."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, BinaryIO

from bento_service.errors import InvalidArgument, TooLarge
from bento_service.ingest.archives.compression import DAMAGE, expanded, first_block
from bento_service.ingest.archives.limits import (
    Allowance,
    Limits,
    Member,
    Unfit,
    looks_like_tar,
    member,
    objection,
    shown,
)
from bento_service.storage.blob_store import Readable

_HEADER_BYTES = 2**20
_HEADER_BYTES_A_MEMBER = 2048
_READS_AT_END = 100  # tarfile goes on to the end of a declared size, however far that is
_BROKEN = (*DAMAGE, tarfile.TarError, LookupError, RecursionError, UnicodeError)


def is_tar(stream: BinaryIO) -> bool:
    """Return true if a stream is a tar archive, compressed or not."""
    with _reading():
        return looks_like_tar(first_block(expanded(stream)))


def tar_members(stream: BinaryIO, allowance: Allowance) -> Iterator[Member | Unfit]:
    """Yield the files of a tar archive."""
    allowance.begin(stream.seek(0, 2))
    counted = _Counted(expanded(stream), allowance)
    with _opened(counted) as archive:
        while (info := _next(archive, counted)) is not None:
            if not (info.isdir() or allowance.skips_clutter(info.name)):
                allowance.take_member()
                if info.issparse():  # tarfile itself makes the zeros of its holes
                    allowance.take_bytes(max(0, info.size))
                yield _member(archive, info, counted, allowance.limits)
            _skip_content(archive, counted)


class _Counted:
    """The expanded bytes of an archive, with extra limits for headers, which stay in memory."""

    def __init__(self, source: Readable, allowance: Allowance) -> None:
        self._source = source
        self._allowance = allowance
        self._left = _HEADER_BYTES * 16 + _HEADER_BYTES_A_MEMBER * allowance.limits.members
        self._left_now = _HEADER_BYTES
        self._in_header = True
        self._reads_at_end = 0

    def begin_header(self) -> None:
        """Count the next bytes as those of a header."""
        self._in_header, self._left_now = True, _HEADER_BYTES

    def begin_content(self) -> None:
        """Count the next bytes as those of a file."""
        self._in_header = False

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes."""
        with _reading():
            data = self._source.read(size)
        self._allowance.take_bytes(len(data))
        if not data:
            self._reads_at_end += 1
            if self._reads_at_end > _READS_AT_END:
                raise _damaged()
        if self._in_header:
            self._left -= len(data)
            self._left_now -= len(data)
            if min(self._left, self._left_now) < 0:
                raise TooLarge("the archive's headers are too long; pack it again")
        return data


def _member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, counted: _Counted, limits: Limits
) -> Member | Unfit:
    problem = objection(info.name, info.size, limits, is_file=info.isreg())
    if problem is not None:
        return Unfit(shown(info.name), problem)
    read = partial(_read, archive.extractfile(info), counted)  # type: ignore[arg-type]
    return member(info.name, info.size, read)


def _read(content: IO[bytes], counted: _Counted, size: int) -> bytes:
    counted.begin_content()
    with _reading():
        return content.read(size)


def _skip_content(archive: tarfile.TarFile, counted: _Counted) -> None:
    """Read the rest of a member, which tarfile would do as a part of the next header."""
    counted.begin_content()
    with _reading():
        archive.fileobj.seek(archive.offset)


def _opened(counted: _Counted) -> tarfile.TarFile:
    with _reading():
        return tarfile.open(fileobj=counted, mode="r|")  # type: ignore[call-overload, no-any-return]


def _next(archive: tarfile.TarFile, counted: _Counted) -> tarfile.TarInfo | None:
    counted.begin_header()
    with _reading():
        info = archive.next()
    archive.members.clear()  # type: ignore[attr-defined] # it would grow with every member
    return info


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise _damaged() from error


def _damaged() -> InvalidArgument:
    return InvalidArgument("the tar archive is damaged or truncated; send it again")
