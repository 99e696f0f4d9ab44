"""Decompression of streams in bounded memory."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO

from bento_service.errors import UnsupportedMediaType
from bento_service.storage.blob_store import Readable

_BLOCK = 2**16
_TAR_BLOCK = 512
_XZ_MEMORY = 128 * 2**20  # `xz -9` needs 65 MiB

DAMAGE = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)
"""The errors of damaged and truncated streams."""


class _Xz:
    """A decompressed .xz file, with the memory limit that `lzma.LZMAFile` lacks."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._begin()

    def _begin(self) -> None:
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        while True:
            block = b""
            if self._decompressor.eof:
                block = (self._decompressor.unused_data or self._stream.read(_BLOCK)).lstrip(b"\0")
                if not block and not (block := self._stream.read(_BLOCK).lstrip(b"\0")):
                    return b""
                self._begin()
            elif self._decompressor.needs_input and not (block := self._stream.read(_BLOCK)):
                raise EOFError
            if data := self._decompressor.decompress(block, size):
                return data


def _zstandard(stream: BinaryIO) -> Readable:
    # Imported on demand: Python has no Zstandard before 3.14, and Arrow is large.
    try:
        import pyarrow as pa
    except ModuleNotFoundError as error:
        raise UnsupportedMediaType(
            "an archive in Zstandard, which needs pyarrow; install it, or pack the archive with "
            "gzip or xz"
        ) from error

    readable: Readable = pa.CompressedInputStream(pa.PythonFile(_Lent(stream), mode="r"), "zstd")
    return readable


class _Lent:
    """A stream that its reader cannot close."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.read = stream.read

    def close(self) -> None:
        """Do nothing; the owner closes the stream."""


_KINDS: tuple[tuple[bytes, Callable[[BinaryIO], Readable]], ...] = (
    (b"\x1f\x8b\x08", lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")),
    *((b"BZh%d1AY&SY" % level, bz2.BZ2File) for level in range(1, 10)),
    (b"\xfd7zXZ\0", _Xz),
    (b"\x28\xb5\x2f\xfd", _zstandard),
)


def expanded(stream: BinaryIO) -> Readable:
    """Return a stream from its start, decompressed according to its first bytes."""
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    return next((kind(stream) for magic, kind in _KINDS if head.startswith(magic)), stream)


def first_block(stream: Readable) -> bytes:
    """Return the first 512 bytes of a stream, or fewer if it ends before."""
    block = b""
    while len(block) < _TAR_BLOCK and (data := stream.read(_TAR_BLOCK - len(block))):
        block += data
    return block


def is_compressed(head: bytes) -> bool:
    """Return true if bytes start like a compressed stream."""
    return any(head.startswith(magic) for magic, _ in _KINDS)
