"""Uploaded archives that are damaged, encrypted, or built to exhaust memory and disk."""

import gzip
import io
import struct
import tarfile
import zipfile
from contextlib import suppress

import pytest

from bento_service.errors import InvalidArgument, TooLarge
from tests.ingest.starting.archives import (
    LIMITS,
    PACKERS,
    sparse,
    sparse_header,
    sparse_of_gnu,
    tarred,
    zipped,
)


@pytest.mark.parametrize("packed", PACKERS.values(), ids=PACKERS.keys())
def test_a_truncated_archive_is_refused_as_a_whole(receiver, packed):
    data = packed()
    with pytest.raises(InvalidArgument, match="damaged or truncated"):
        receiver.send(b"beside it", data[: min(2000, len(data) * 3 // 5)])
    assert receiver.on_disk() == []


def test_an_encrypted_zip_is_refused(receiver):
    data = bytearray(zipped())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + offset] |= 1
    with pytest.raises(InvalidArgument, match="encrypted"):
        receiver.send(bytes(data))


def zeros(number, size):
    return {f"{n}.bmp": bytes(size) for n in range(number)}


@pytest.mark.parametrize(
    "packed", [zipped, lambda files: gzip.compress(tarred(files)), sparse, sparse_of_gnu]
)
def test_bombs_are_refused_and_leave_nothing(receiver, packed):
    bomb = packed(zeros(9, 10 * 2**20))
    large = LIMITS.__class__(members=20, member_bytes=2**30, total_bytes=2**40, ratio=100)
    with pytest.raises(TooLarge, match="bomb"):
        receiver.send(b"beside it", bomb, limits=large)
    small = LIMITS.__class__(members=20, member_bytes=2**30, total_bytes=30 * 2**20, ratio=10**6)
    with pytest.raises(TooLarge, match="LOOKALIKE_MAX_ARCHIVE_BYTES"):
        receiver.send(bomb, limits=small)
    many = packed(zeros(21, 1))
    with pytest.raises(TooLarge, match="20 files"):
        receiver.send(many)
    assert receiver.on_disk() == []


def test_limits_apply_to_all_archives_of_a_request_together(receiver):
    with pytest.raises(TooLarge, match="20 files"):
        receiver.send(zipped(zeros(11, 1)), tarred(zeros(11, 1)))


def test_a_zip_cannot_expand_beyond_its_declared_size(receiver):
    data = bytearray(zipped({"a.bmp": bytes(5 * 2**20)}))
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 100)
    job = receiver.send(bytes(data))
    assert receiver.refused(job) == {"a.bmp": "image_unreadable"}


def test_a_list_of_members_cannot_declare_a_shorter_length(receiver):
    data = bytearray(zipped({f"{n}": b"" for n in range(60)}, zipfile.ZIP_STORED))
    with pytest.raises(TooLarge, match="list of files"):
        receiver.send(bytes(data))
    struct.pack_into("<H", data, len(data) - 12, 1)  # says that it has one
    with pytest.raises(TooLarge, match="list of files"):
        receiver.send(bytes(data))


def test_a_long_list_of_members_is_refused_before_it_is_read(receiver):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number in range(500):
            archive.writestr(f"{number:05}" + "x" * 200, b"")
    with pytest.raises(TooLarge, match="list of files"):
        receiver.send(made.getvalue())


def test_a_huge_header_is_refused(receiver):
    info = tarfile.TarInfo("a.jpg")
    info.type, info.size = tarfile.XHDTYPE, 90 * 2**20
    bomb = gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(info.size))
    large = LIMITS.__class__(members=20, member_bytes=2**30, total_bytes=2**40, ratio=10**6)
    with pytest.raises(TooLarge, match="headers"):
        receiver.send(bomb, limits=large)


@pytest.mark.parametrize("packed", [sparse, sparse_of_gnu])
def test_a_hole_without_end_is_refused(receiver, packed):
    with pytest.raises(TooLarge, match="LOOKALIKE_MAX_ARCHIVE_BYTES"):
        receiver.send(packed(size=2**60))


def unknown_kind(size):
    info = tarfile.TarInfo("a.jpg")
    info.type, info.size = b"Z", size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "header",
    [
        unknown_kind(2**60),
        sparse_header("a.jpg", 2**60, 0),
        sparse_header("a.jpg", 9, 9, is_extended=True),
    ],
    ids=["a size of an unknown kind", "a size of a sparse file", "a list of holes"],
)
def test_an_archive_that_ends_long_before_it_says_is_refused(receiver, header):
    with pytest.raises(InvalidArgument, match="damaged or truncated"):
        receiver.send(header)


def test_randomly_damaged_archives_are_members_or_errors(receiver):
    for pack in PACKERS.values():
        good = pack()
        for at in range(0, len(good), max(1, len(good) // 25)):
            data = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
            with suppress(TooLarge, InvalidArgument):
                receiver.send(data)
