"""Members of zip archives."""

import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from bento_service.errors import ImageUnreadable, InvalidArgument, TooLarge, UnsupportedMediaType
from bento_service.ingest.archives.compression import DAMAGE
from bento_service.ingest.archives.limits import Allowance, Member, Unfit, member, objection, shown
from bento_service.storage.blob_store import Readable

_ENCRYPTED = 1
_UTF8 = 0x800
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_DIRECTORY_BYTES_A_MEMBER = 1024
_ENTRIES_A_MEMBER = 2  # folders have entries too
_END, _END_BYTES = b"PK\x05\x06", 22
_END_64, _END_64_BYTES = b"PK\x06\x06", 56
_LOCATOR_64, _LOCATOR_64_BYTES = b"PK\x06\x07", 20
_ENTRY = b"PK\x01\x02"
_TAIL = _END_64_BYTES + _LOCATOR_64_BYTES + _END_BYTES + 2**16
_BROKEN = (*DAMAGE, zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error)


def zip_members(stream: BinaryIO, allowance: Allowance) -> Iterator[Member | Unfit]:
    """Yield the files of a zip archive."""
    _check_directory(stream, allowance)
    try:
        archive = zipfile.ZipFile(stream)
    except _BROKEN as error:
        raise _damaged() from error
    with archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        for info in files:
            info.filename = _filename(info)
        entries = [info for info in files if not allowance.skips_clutter(info.filename)]
        if any(info.flag_bits & _ENCRYPTED for info in entries):
            raise InvalidArgument("the zip archive is encrypted; send it without a password")
        for info in entries:
            allowance.take_member()
            allowance.take_bytes(info.file_size)  # zipfile never reads beyond the declared size
        for info in entries:
            yield _member(archive, info, allowance)


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: Allowance
) -> Member | Unfit:
    name, size, is_file = info.filename, info.file_size, _is_file(info)
    problem = objection(name, size, allowance.limits, is_file=is_file)
    if problem is None and info.compress_type not in _METHODS:
        problem = UnsupportedMediaType("its compression method is not supported; use deflate")
    if problem is not None:
        return Unfit(shown(name), problem)
    try:
        with _reading_member():
            content = archive.open(info)
        return member(name, size, partial(_read, content))
    except ImageUnreadable as error:
        return Unfit(shown(name), error)


@contextmanager
def _reading_member() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise ImageUnreadable("the file is damaged within the archive; pack it again") from error


def _read(content: Readable, size: int) -> bytes:
    with _reading_member():
        return content.read(size)


def _filename(info: zipfile.ZipInfo) -> str:
    """Return the name of a member; macOS writes UTF-8 without the flag that says so."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except UnicodeError:
        return info.filename


def _is_file(info: zipfile.ZipInfo) -> bool:
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _check_directory(stream: BinaryIO, allowance: Allowance) -> None:
    """Reject an oversized list of members before `zipfile` creates objects for it."""
    size = stream.seek(0, 2)
    allowance.begin(size)
    begin = max(0, size - _TAIL)
    stream.seek(begin)
    end, length = _directory(stream.read())
    members = allowance.limits.members
    is_too_long = length > members * _DIRECTORY_BYTES_A_MEMBER
    if not is_too_long:
        stream.seek(max(0, begin + end - length))
        is_too_long = stream.read(length).count(_ENTRY) > _ENTRIES_A_MEMBER * members
    if is_too_long:
        raise TooLarge(
            f"the archive's list of files is too long for {members} files; send it in parts, or "
            "raise LOOKALIKE_MAX_ARCHIVE_MEMBERS"
        )


def _directory(tail: bytes) -> tuple[int, int]:
    """Return the end of the list of members in an archive's last bytes, and its length."""
    at = len(tail) - _END_BYTES
    if not (tail[at:].startswith(_END) and tail.endswith(b"\0\0")):
        at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise _damaged()
    at_64 = at - _LOCATOR_64_BYTES - _END_64_BYTES
    has_64 = tail.startswith(_LOCATOR_64, max(0, at - _LOCATOR_64_BYTES))
    if at_64 >= 0 and has_64 and tail.startswith(_END_64, at_64):
        return at_64, struct.unpack_from("<Q", tail, at_64 + 40)[0]
    return at, struct.unpack_from("<L", tail, at + 12)[0]


def _damaged() -> InvalidArgument:
    return InvalidArgument("the zip archive is damaged or truncated; send it again")
