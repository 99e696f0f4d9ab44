"""Archives of every supported format, and the limits that tests unpack them with."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pyarrow as pa

from bento_service.ingest.archives.limits import Limits

LIMITS = Limits(members=20, member_bytes=20_000, total_bytes=100 * 2**20, ratio=100)
CONTENT = {"a.jpg": b"one", "b/c.png": b"two " * 700, "b/é.gif": b"three"}


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
