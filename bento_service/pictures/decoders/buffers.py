"""Shared memory that passes encoded pictures from the service to its decoders.

A picture's file is read once, into shared memory. The service hashes it there, and a decoder
receives the memory's file descriptor. So the digest belongs to exactly the bytes that are decoded,
even if the file changes, and no picture is sent through a pipe. Decoders run as the service's user
and could open the memory again, so seals allow only the service to write to it.
"""

import errno
import fcntl
import io
import mmap
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, Protocol, cast

from bento_service.errors import Overloaded
from bento_service.pictures.picture import Snapshot

_KEPT_BYTES = 4 * 2**20
"""The size of reused buffers, in bytes, enough for most pictures.

The kernel need not clear a reused buffer.
"""
_FIXED_SIZE = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
_FUTURE_WRITE = 0x0010
"""F_SEAL_FUTURE_WRITE (Linux 5.1): only existing mappings may write."""


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class _Buffer:
    """Anonymous memory with a file descriptor, mapped into this process."""

    def __init__(self, size: int) -> None:
        """Allocate and seal the memory, or raise `Overloaded` if there is too little."""
        self.size = size
        with ExitStack() as on_failure:
            try:
                self.file = os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
                on_failure.callback(os.close, self.file)
                os.ftruncate(self.file, size)
                self.memory = mmap.mmap(self.file, size)
                self.is_sealed = _sealed(self.file)
            except OSError as error:
                raise Overloaded(
                    f"there is no room for another picture ({error.strerror}); try again shortly"
                ) from error
            on_failure.pop_all()

    def close(self) -> None:
        """Free the memory as soon as no decoder has it open."""
        os.close(self.file)
        with suppress(BufferError):  # a traceback still refers to it, and frees it later
            self.memory.close()


class Buffers:
    """Shared memory for the pictures of all callers. Threads may share it.

    Args:
        kept: Most idle buffers that are kept for reuse.
    """

    def __init__(self, *, kept: int) -> None:
        self._kept = kept
        self._idle: list[_Buffer] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Free all idle memory; memory in use is freed when its user is done."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for buffer in idle:
            buffer.close()

    @contextmanager
    def snapshot(
        self, source: bytes | BinaryIO, *, max_bytes: int | None = None
    ) -> Iterator[Snapshot]:
        """Yield a snapshot; see `Decoders.snapshot`."""
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        size = min(stream.seek(0, os.SEEK_END), sys.maxsize if max_bytes is None else max_bytes)
        stream.seek(0)
        buffer = self._taken(size)
        try:
            with memoryview(buffer.memory) as memory:
                with memory[:size] as room:
                    length = _read(cast(_Readable, stream), room)
                with memory[:length] as data:
                    yield Snapshot(data, buffer.file)
        finally:
            self._put_back(buffer)

    def _taken(self, size: int) -> _Buffer:
        if size > _KEPT_BYTES:
            return _Buffer(size)
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Buffer(_KEPT_BYTES)

    def _put_back(self, buffer: _Buffer) -> None:
        is_wanted = buffer.is_sealed and buffer.size == _KEPT_BYTES
        with self._lock:
            if is_wanted and not self._is_closed and len(self._idle) < self._kept:
                self._idle.append(buffer)
                return
        buffer.close()


def _sealed(file: int) -> bool:
    """Fix a file's size and forbid other processes to write to it; return whether both worked.

    The result is False on kernels that cannot forbid writes. A compromised decoder could then
    change later pictures, so such memory must not be reused.
    """
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, _FIXED_SIZE)
    try:
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _FUTURE_WRITE | fcntl.F_SEAL_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return True


def _read(stream: _Readable, memory: memoryview) -> int:
    """Read until the stream ends or the memory is full; return the number of bytes."""
    length = 0
    while length < len(memory):
        with memory[length:] as rest:
            count = stream.readinto(rest)
        if not count:
            break
        length += count
    return length
