"""Uploaded archives and files, with a real catalogue and real storage."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from contextlib import suppress
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import Claim, Outcome, SkippedRecord
from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.errors import Conflict, InvalidArgument, StorageFull, TooLarge
from bento_service.ingest.archives.limits import Limits
from bento_service.ingest.starting.upload_jobs import Sent, UploadJobs
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.uploads import Uploads
from tests.support.catalogues import sqlite_catalogue
from tests.support.job_files import todo

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")
LIMITS = Limits(members=20, member_bytes=20_000, total_bytes=100 * 2**20, ratio=100)
CONTENT = {"a.jpg": b"one", "b/c.png": b"two " * 700, "b/é.gif": b"three"}


class Receiver:
    def __init__(self, folder, limits=LIMITS):
        self.folder = folder / "uploads"
        self.catalogue = Catalogue.open(sqlite_catalogue(folder / "catalogue.db"))
        self.limits = limits
        self.use(FolderBlobStore(self.folder))

    def use(self, blobs):
        self.uploads = Uploads(blobs, self.catalogue.upload_pins, unneeded=self.unneeded)

    def send(self, *contents, limits=LIMITS, claim=None):
        jobs = UploadJobs(self.catalogue, self.uploads, Computed((SPACE,)), limits)
        sent = [Sent(f"sent-{n}", io.BytesIO(data)) for n, data in enumerate(contents)]
        return jobs.start(sent, "cats", {}, claim)

    def unneeded(self, digests):
        return self.catalogue.upload_references.unneeded(digests, ended_after=datetime.now(UTC))

    def listed(self, job):
        """Return the stored bytes by path."""
        contents = {}
        for file in todo(self.catalogue, job):
            with self.uploads.blobs.open(file.sha256) as stored:
                contents[file.path] = stored.read()
        return contents

    def refused(self, job):
        failures = self.catalogue.jobs.failures(job.number, after=0, limit=100)
        return {failure.path: failure.code for failure in failures}

    def on_disk(self):
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
def receiver(tmp_path):
    made = Receiver(tmp_path)
    with made.catalogue:
        yield made


def zipped(files=CONTENT, method=zipfile.ZIP_DEFLATED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def tarred(files=CONTENT, format_=tarfile.PAX_FORMAT):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format_) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zstd(data):
    made = pa.BufferOutputStream()
    with pa.CompressedOutputStream(made, "zstd") as stream:
        stream.write(data)
    return made.getvalue().to_pybytes()


PACKERS = {
    "zip": zipped,
    "zip, stored": lambda: zipped(method=zipfile.ZIP_STORED),
    "zip, bzip2": lambda: zipped(method=zipfile.ZIP_BZIP2),
    "tar": tarred,
    "tar of GNU": lambda: tarred(format_=tarfile.GNU_FORMAT),
    "tar.gz": lambda: gzip.compress(tarred()),
    "tar.bz2": lambda: bz2.compress(tarred()),
    "tar.xz": lambda: lzma.compress(tarred()),
    "tar.zst": lambda: zstd(tarred()),
}


@pytest.mark.parametrize("packed", PACKERS.values(), ids=PACKERS.keys())
def test_each_member_becomes_a_file_by_its_path(receiver, packed):
    job = receiver.send(packed())
    assert receiver.listed(job) == CONTENT
    assert (job.total, job.failed, job.walked) == (3, 0, True)


def test_a_request_can_have_archives_and_pictures(receiver):
    job = receiver.send(b"alone", zipped(), tarred({"d.png": b"four"}))
    assert receiver.listed(job) == {"sent-0": b"alone", **CONTENT, "d.png": b"four"}


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"a picture", mtime=0),
        b"PK",
        b"\x1f\x8bnot",
        b"BZh is a text",
        lzma.compress(b"x" * 900),
        b"",
    ],
)
def test_a_file_that_only_starts_like_an_archive_is_a_file(receiver, data):
    assert receiver.listed(receiver.send(data)) == {"sent-0": data}


def test_clutter_in_an_archive_is_skipped_and_counted(receiver):
    clutter = ["__MACOSX/b/._a.jpg", "b/._a.jpg", "b/.DS_Store", "b/@eaDir/a.jpg", "Thumbs.db"]
    files = {"b/a.jpg": b"one", **dict.fromkeys(clutter, b"fork")}
    for packed in (zipped({"b/": b"", **files}), tarred(files)):
        job = receiver.send(packed)
        assert receiver.listed(job) == {"b/a.jpg": b"one"}
        assert job.skipped == (SkippedRecord("clutter", len(clutter), clutter[0]),)


@pytest.mark.parametrize("name", ["\u5199\u771f.jpg", "Mu\u0308ller/B\u00fccher.jpg", "ascii.jpg"])
def test_the_names_of_a_zip_are_utf_8_with_and_without_the_flag(receiver, name):
    flagged = zipped({name: b"one"})
    assert receiver.listed(receiver.send(flagged)) == {name: b"one"}
    assert receiver.listed(receiver.send(without_utf8_flag(flagged))) == {name: b"one"}


def test_the_names_of_a_zip_in_another_encoding_stay_as_they_were(receiver):
    packed = without_utf8_flag(zipped({"M\u00fc.jpg": b"one"}))
    old = packed.replace("M\u00fc.jpg".encode(), b"M\x81\x81.jpg")  # code page 437, as in old zips
    assert receiver.listed(receiver.send(old)) == {"M\u00fc\u00fc.jpg": b"one"}


def without_utf8_flag(packed):
    """Return a zip archive as the Finder of macOS writes it."""
    data = bytearray(packed)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags + 1] &= ~0x08
            at = data.find(signature, at + 1)
    return bytes(data)


def test_an_archive_without_files_is_refused(receiver):
    with pytest.raises(InvalidArgument, match="no files"):
        receiver.send(zipped({"b/": b""}))


def test_only_members_with_names_that_lead_out_are_refused(receiver):
    names = ["/etc/a.jpg", "../b.jpg", "c/../../d.jpg", "..\\e.jpg", "C:\\f.jpg"]
    files = {**dict.fromkeys(names, b"x"), "good.jpg": b"good"}
    for job in (receiver.send(zipped(files)), receiver.send(tarred(files))):
        assert receiver.listed(job) == {"good.jpg": b"good"}
        assert set(receiver.refused(job).values()) == {"forbidden"}
        assert (job.total, job.failed) == (6, 5)


def test_only_links_and_devices_are_refused(receiver):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
        for number, kind in enumerate(kinds):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    job = receiver.send(made.getvalue())
    assert list(receiver.refused(job).values()) == ["forbidden"] * 4
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    job = receiver.send(zipped({link: b"/etc/passwd"}))
    assert receiver.refused(job) == {"link.jpg": "forbidden"}


def test_only_archives_in_archives_are_refused(receiver):
    inner = {name: pack() for name, pack in PACKERS.items()}
    for job in (receiver.send(zipped(inner)), receiver.send(tarred(inner))):
        assert receiver.refused(job) == dict.fromkeys(inner, "unsupported_media_type")
        assert job.state.value == "completed"  # there is nothing left to do


def test_only_members_that_are_too_large_are_refused(receiver):
    files = {"large.jpg": os.urandom(20_001), "good.jpg": b"good"}
    for job in (receiver.send(zipped(files)), receiver.send(tarred(files))):
        assert receiver.refused(job) == {"large.jpg": "too_large"}
        assert receiver.listed(job) == {"good.jpg": b"good"}


def test_only_the_damaged_member_of_a_zip_is_refused(receiver):
    data = bytearray(zipped({"bad.jpg": b"x" * 99, "good.jpg": b"good"}, zipfile.ZIP_STORED))
    data[data.index(b"x" * 99)] = 0
    job = receiver.send(bytes(data))
    assert receiver.refused(job) == {"bad.jpg": "image_unreadable"}
    assert receiver.listed(job) == {"good.jpg": b"good"}


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


@pytest.mark.parametrize("packed", [zipped, lambda files: gzip.compress(tarred(files))])
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


def test_a_zip_with_a_comment_or_with_large_numbers_is_read(receiver):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = b"PK\x06\x06 and " + b"a comment " * 900
        with archive.open("a.jpg", "w", force_zip64=True) as member:
            member.write(b"one")
    assert receiver.listed(receiver.send(made.getvalue())) == {"a.jpg": b"one"}


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


def test_randomly_damaged_archives_are_members_or_errors(receiver):
    for pack in PACKERS.values():
        good = pack()
        for at in range(0, len(good), max(1, len(good) // 25)):
            data = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
            with suppress(TooLarge, InvalidArgument):
                receiver.send(data)


def test_a_full_disk_leaves_nothing_of_an_archive(receiver, small_disk):
    receiver.folder = small_disk / "uploads"
    receiver.use(FolderBlobStore(receiver.folder))
    with pytest.raises(StorageFull):
        receiver.send(zipped())
    assert receiver.on_disk() == []


def test_an_upload_that_was_stored_before_survives_a_refusal(receiver):
    kept = receiver.send(b"kept")
    with pytest.raises(InvalidArgument):
        receiver.send(b"kept", zipped()[:200])
    assert receiver.listed(kept) == {"sent-0": b"kept"}


# Idempotency keys


def test_an_archive_with_a_used_key_returns_the_earlier_job(receiver):
    claim = Claim("order 17", "asked")
    first = receiver.send(zipped(), claim=claim)
    again = receiver.send(zipped(), claim=claim)
    assert again.id == first.id
    with pytest.raises(Conflict, match="order 17"):
        receiver.send(zipped({"z.jpg": b"other"}), claim=Claim("order 17", "another"))
    assert set(receiver.listed(first).values()) == set(CONTENT.values())
    assert len(receiver.on_disk()) == len(CONTENT)


def test_unneeded_uploads_of_a_repeated_request_are_removed(receiver):
    claim = Claim("order 17", "asked")
    job = receiver.send(zipped(), claim=claim)
    failed = [
        Outcome(file, code="image_unreadable", detail="why")
        for file in todo(receiver.catalogue, job)
    ]
    receiver.catalogue.jobs.settle(job, failed)
    assert receiver.send(zipped(), claim=claim).id == job.id
    assert receiver.on_disk() == []
