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


def sparse(files=CONTENT, *, size=None):
    """Return a tar archive with a hole in place of the last zeros of each file.

    `size` replaces the declared size of the files.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            stored = data.rstrip(b"\0")
            info = tarfile.TarInfo(name)
            info.size = len(stored)
            info.pax_headers = {
                "GNU.sparse.map": f"0,{len(stored)}",
                "GNU.sparse.size": str(len(data) if size is None else size),
            }
            archive.addfile(info, io.BytesIO(stored))
    return made.getvalue()


def sparse_of_gnu(files=CONTENT, *, size=None):
    """Return such an archive in the older format of GNU tar."""
    made = bytearray()
    for name, data in files.items():
        stored = data.rstrip(b"\0")
        made += sparse_header(name, len(stored), len(data) if size is None else size)
        made += stored + bytes(-len(stored) % 512)
    return bytes(made) + bytes(1024)


def sparse_header(name, stored, size, *, is_extended=False):
    """Return GNU tar's header of a file of which the first bytes are stored; a hole follows."""
    info = tarfile.TarInfo(name)
    info.type, info.size = tarfile.GNUTYPE_SPARSE, stored
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[398:410] = tarfile.itn(stored, 12, tarfile.GNU_FORMAT)
    header[482] = is_extended
    header[483:495] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


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
    "tar, sparse": sparse,
    "tar of GNU, sparse": sparse_of_gnu,
    "tar.gz": lambda: gzip.compress(tarred()),
    "tar.bz2": lambda: bz2.compress(tarred()),
    "tar.xz": lambda: lzma.compress(tarred()),
    "tar.zst": lambda: zstd(tarred()),
}
