"""The durability of a folder of uploads, also while several processes use it."""

import fcntl
import io
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from bento_service.errors import StorageFull
from bento_service.storage.folder_blob_store import FolderBlobStore
from tests.support.blobs import put

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "uploads"


@pytest.fixture
def blobs(folder):
    return FolderBlobStore(folder)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_reading_creates_no_folder(blobs, folder):
    assert list(blobs.stored()) == []
    blobs.check_room(1)
    assert not folder.exists()


def test_the_files_are_private_and_named_by_their_digests(blobs, folder):
    (sha256,) = put(blobs, b"one")
    assert files(folder) == [folder / sha256[:2] / sha256]
    assert files(folder)[0].stat().st_mode & 0o777 == 0o600


def test_no_partial_file_has_the_name_of_its_digest(blobs):
    seen = []

    class Slow(io.BytesIO):
        def read(self, size=-1):
            seen.append(list(blobs.stored()))
            return super().read(1)

    staged = blobs.stage(Slow(b"one"))
    assert seen == [[]] * 4
    assert list(blobs.stored()) == []
    blobs.keep([staged])
    assert list(blobs.stored()) == [staged.sha256]
    blobs.drop([staged])


def test_a_start_keeps_what_another_process_is_receiving(blobs, folder):
    code = f"""
import io, sys
from pathlib import Path
from bento_service.storage.folder_blob_store import FolderBlobStore
blobs = FolderBlobStore(Path({str(folder)!r}))
staged = blobs.stage(io.BytesIO(b"one"))
print("staged", flush=True)
sys.stdin.readline()
blobs.keep([staged])
"""
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": PROJECT}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "staged\n"
        blobs.remove_partial()
        other.stdin.write("go on\n")
        other.stdin.flush()
        assert other.wait(60) == 0
    assert len(list(blobs.stored())) == 1


def test_partial_files_of_a_dead_process_are_removed(blobs, folder):
    put(blobs, b"one")
    (folder / "incoming" / "tmp123").write_bytes(b"half")
    blobs.remove_partial()
    assert list(blobs.stored()) == [path.name for path in files(folder)]


def test_a_file_that_is_removed_before_it_is_locked_is_made_again(blobs, folder, monkeypatch):
    lock, taken = fcntl.flock, []

    def too_late(file, operation):
        if not taken:
            taken.append(file)
            blobs.remove_partial()
        return lock(file, operation)

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", too_late)
        (sha256,) = put(blobs, b"one")
    assert [path.name for path in files(folder)] == [sha256]


def test_a_full_disk_is_an_error_and_leaves_no_partial_file(small_disk):
    blobs = FolderBlobStore(small_disk)
    with pytest.raises(StorageFull, match="for uploads is full"):
        put(blobs, bytes(3_000_000))
    assert files(small_disk) == []
    assert put(blobs, b"small") == list(blobs.stored())


def test_a_disk_without_room_for_a_folder_leaves_no_partial_file(small_disk):
    blobs = FolderBlobStore(small_disk)
    (small_disk / "incoming").mkdir()
    fillers = [small_disk / f"filler-{n}" for n in range(1000)]
    with suppress(OSError):
        for filler in fillers:
            filler.touch()
    assert not fillers[-1].exists()
    fillers[0].unlink()  # room for the file alone
    with pytest.raises(StorageFull):
        put(blobs, b"one")
    for filler in fillers:
        filler.unlink(missing_ok=True)
    assert files(small_disk) == []
    assert put(blobs, b"one") == list(blobs.stored())


def test_room_is_spared_for_the_catalogue(blobs, tmp_path):
    free = os.statvfs(tmp_path)
    with pytest.raises(StorageFull, match="has no room"):
        blobs.check_room(free.f_bavail * free.f_frsize)
