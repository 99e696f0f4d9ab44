"""Shared memory: what is hashed is what is decoded, and only the service writes."""

import hashlib
import io
import mmap
import subprocess
import sys

import numpy as np
import pytest

from bento_service.errors import ImageUnreadable, Overloaded
from bento_service.pictures.decoders import buffers as buffers_module
from bento_service.pictures.decoders.buffers import Buffers
from tests.support.file_access import open_files
from tests.support.local_decoder import LocalDecoder

MEMORY = "/memfd:"
# Tries all ways to write to an open file that it inherits; says which were refused.
WRITES = """
import mmap, os, sys
file = int(sys.argv[1])
again = os.open(f"/proc/self/fd/{file}", os.O_RDWR)
ways = {
    "write": lambda: os.pwrite(again, b"x", 0),
    "map": lambda: mmap.mmap(again, 16),
    "shrink": lambda: os.ftruncate(again, 0),
    "grow": lambda: os.ftruncate(again, 2**30),
    "punch": lambda: os.posix_fallocate(again, 2**29, 1),
}
for name, way in ways.items():
    try:
        way()
    except PermissionError:
        print(name)
"""


@pytest.fixture
def buffers():
    made = Buffers(kept=1)
    yield made
    made.close()


def is_open(file: int) -> bool:
    return file in open_files(MEMORY)


def refused(file: int) -> list[str]:
    """Return the ways in which another process cannot write."""
    command = [sys.executable, "-c", WRITES, str(file)]
    return subprocess.check_output(command, pass_fds=[file], text=True).split()


def test_a_file_that_changes_after_the_snapshot_changes_neither_digest_nor_pixels(
    opened, encoded, tmp_path
):
    first, second = encoded("PNG", seed=1), encoded("PNG", seed=2)
    expected = LocalDecoder(10**6).decode(first, side=16).pixels
    path, decoders = tmp_path / "a.png", opened(count=1)
    path.write_bytes(first)
    with path.open("rb") as file, decoders.snapshot(file) as snapshot:
        path.write_bytes(second)
        assert np.array_equal(decoders.decode(snapshot, side=16).pixels, expected)
        assert snapshot.sha256 == hashlib.sha256(first).hexdigest()
        assert snapshot.size == len(first)


def test_a_file_that_grows_is_not_read_beyond_the_limit(opened):
    for decoder in (opened(count=1), LocalDecoder(10**6)):
        for source in (b"0123456789", io.BytesIO(b"0123456789")):
            with decoder.snapshot(source, max_bytes=4) as snapshot:
                assert bytes(snapshot.data) == b"0123"


def test_nothing_of_the_former_picture_is_left(opened, encoded):
    decoders, whole = opened(count=1), encoded("PNG")
    decoders.decode(whole, side=16)
    with pytest.raises(ImageUnreadable):
        decoders.decode(whole[: len(whole) // 2], side=16)


def test_other_processes_cannot_write_even_when_memory_is_used_again(buffers):
    with buffers.snapshot(b"first") as snapshot:
        file = snapshot.file
    with buffers.snapshot(b"second") as snapshot:
        assert snapshot.file == file
        assert refused(file) == ["write", "map", "shrink", "grow", "punch"]
        assert bytes(snapshot.data) == b"second"


def test_memory_is_used_once_if_the_kernel_cannot_seal_it(buffers, monkeypatch):
    monkeypatch.setattr(buffers_module, "_FUTURE_WRITE", 0x4000)  # which no kernel knows
    with buffers.snapshot(b"first") as snapshot:
        assert bytes(snapshot.data) == b"first"
        assert refused(snapshot.file) == ["shrink", "grow", "punch"]
    assert not is_open(snapshot.file)


def test_large_pictures_and_more_than_are_kept_give_their_memory_back(buffers):
    snapshot, large = buffers.snapshot, bytes(5 * 2**20)
    with snapshot(b"a") as a, snapshot(b"b") as b, snapshot(large) as c:
        files = [a.file, b.file, c.file]
    assert [is_open(file) for file in files] == [False, True, False]
    buffers.close()
    assert not is_open(files[1])


def test_a_file_that_cannot_be_read_costs_no_memory(buffers):
    class Broken(io.BytesIO):
        def readinto(self, _):
            raise OSError("the disk is broken")

    before = open_files(MEMORY)
    for size in (10, 5 * 2**20):
        with pytest.raises(OSError, match="broken"), buffers.snapshot(Broken(bytes(size))):
            pass
    buffers.close()
    assert open_files(MEMORY) == before


def test_a_caller_is_asked_to_come_again_if_there_is_no_room(buffers, monkeypatch):
    def full(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(mmap, "mmap", full)
    before = open_files(MEMORY)
    said = r"Too many open files.*try again"
    with pytest.raises(Overloaded, match=said), buffers.snapshot(b"first"):
        pass
    assert open_files(MEMORY) == before


def test_an_empty_file_is_an_empty_snapshot(buffers):
    with buffers.snapshot(io.BytesIO()) as snapshot:
        assert (snapshot.size, snapshot.sha256) == (0, hashlib.sha256().hexdigest())
