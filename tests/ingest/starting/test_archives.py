"""Uploaded archives: the formats that are unpacked, and the members that become files."""

import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile

import pytest

from bento_service.catalogue.jobs.records import SkippedRecord
from bento_service.errors import InvalidArgument
from tests.ingest.starting.archives import CONTENT, PACKERS, tarred, zipped


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


def test_a_zip_with_a_comment_or_with_large_numbers_is_read(receiver):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = b"PK\x06\x06 and " + b"a comment " * 900
        with archive.open("a.jpg", "w", force_zip64=True) as member:
            member.write(b"one")
    assert receiver.listed(receiver.send(made.getvalue())) == {"a.jpg": b"one"}


def test_clutter_in_an_archive_is_skipped_and_counted(receiver):
    clutter = ["__MACOSX/b/._a.jpg", "b/._a.jpg", "b/.DS_Store", "b/@eaDir/a.jpg", "Thumbs.db"]
    files = {"b/a.jpg": b"one", **dict.fromkeys(clutter, b"fork")}
    for packed in (zipped({"b/": b"", **files}), tarred(files)):
        job = receiver.send(packed)
        assert receiver.listed(job) == {"b/a.jpg": b"one"}
        assert job.skipped == (SkippedRecord("clutter", len(clutter), clutter[0]),)


def test_large_clutter_in_an_archive_is_skipped(receiver):
    files = {"Thumbs.db": bytes(2 * 2**20), "a.jpg": b"one"}
    for packed in (zipped(files), tarred(files)):
        assert receiver.listed(receiver.send(packed)) == {"a.jpg": b"one"}


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
