import hashlib
import io
import threading
from contextlib import suppress

import pytest

from bento_service.errors import ImageNotFound, StorageFull
from bento_service.storage.uploads import Uploads
from tests.support.waiting import join, run_threads


def digest(data):
    return hashlib.sha256(data).hexdigest()


def streams(*contents):
    return [io.BytesIO(content) for content in contents]


def everything(digests):
    """Return all digests as unneeded."""
    return set(digests)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def uploads(tmp_path):
    return Uploads(tmp_path / "uploads", unneeded=everything)


@pytest.fixture
def folder(uploads, tmp_path):
    return tmp_path / "uploads"


def test_digests_are_in_the_order_of_the_streams(uploads):
    with uploads.receiving(streams(b"one", b"two", b"", b"one")) as digests:
        assert digests == [digest(b"one"), digest(b"two"), digest(b""), digest(b"one")]


def test_a_read_only_folder_keeps_partial_files_of_another_process(uploads, folder):
    with uploads.receiving(streams(b"one")):
        pass
    half = folder / "incoming" / "half"
    half.write_bytes(b"ha")

    reader = Uploads(folder, read_only=True)

    assert list(reader.stored()) == [digest(b"one")]
    assert half.exists()


def test_reading_a_missing_folder_finds_nothing_and_creates_nothing(tmp_path):
    assert list(Uploads(tmp_path / "none", read_only=True).stored()) == []
    assert not (tmp_path / "none").exists()


def test_stored_bytes_can_be_read(uploads):
    large = bytes(range(256)) * 10_000  # more than is copied at once
    with uploads.receiving(streams(large)) as (stored,):
        pass
    with uploads.open(stored) as file:
        assert file.read() == large


def test_the_same_bytes_are_stored_once(uploads, folder):
    with uploads.receiving(streams(b"one", b"one")):
        pass
    with uploads.receiving(streams(b"one")):
        pass
    assert [path.name for path in files(folder)] == [digest(b"one")]
    assert list(uploads.stored()) == [digest(b"one")]


def test_uploads_survive_a_restart(uploads, folder):
    with uploads.receiving(streams(b"one")) as (stored,):
        pass
    with Uploads(folder).open(stored) as file:
        assert file.read() == b"one"


def test_the_error_for_missing_bytes_says_what_to_do(uploads):
    with pytest.raises(ImageNotFound, match="upload the picture again"):
        uploads.open(digest(b"never sent"))


def test_bytes_cannot_be_discarded_while_they_are_received(uploads):
    with uploads.receiving(streams(b"one")) as (stored,):
        uploads.discard({stored})
        assert list(uploads.stored()) == [stored]
    uploads.discard({stored})
    assert list(uploads.stored()) == []


def test_uploads_that_a_retry_holds_cannot_be_discarded(uploads):
    with uploads.receiving(streams(b"one")) as (stored,):
        pass
    with uploads.holding([stored, digest(b"never sent")]) as present:
        assert present == {stored}
        uploads.discard({stored})
        assert list(uploads.stored()) == [stored]
    uploads.discard({stored})
    assert list(uploads.stored()) == []


def test_bytes_in_two_requests_are_kept_until_both_end(uploads):
    with uploads.receiving(streams(b"one")) as (stored,):
        with uploads.receiving(streams(b"one", b"one")):
            pass
        uploads.discard({stored})
        assert list(uploads.stored()) == [stored]


def test_only_unneeded_uploads_are_discarded(tmp_path):
    queries = []

    def unneeded(digests):
        queries.append(digests)
        return {stored[1]}

    uploads = Uploads(tmp_path / "uploads", unneeded=unneeded)
    with uploads.receiving(streams(b"one", b"two", b"three")) as stored:
        pass
    uploads.discard({stored[0], stored[1]})
    assert queries == [{stored[0], stored[1]}]
    assert set(uploads.stored()) == {stored[0], stored[2]}


def test_discarding_a_missing_upload_does_not_fail(uploads):
    uploads.discard({digest(b"never sent")})


def test_no_upload_arrives_while_the_need_is_checked(tmp_path):
    def unneeded(digests):
        arriving.start()
        arriving.join(0.2)
        assert arriving.is_alive()  # it waits, and stores the bytes again afterwards
        return digests

    uploads = Uploads(tmp_path / "uploads", unneeded=unneeded)
    with uploads.receiving(streams(b"one")) as (stored,):
        pass
    arriving = threading.Thread(target=lambda: uploads.receiving(streams(b"one")).__enter__())
    uploads.discard({stored})
    join(arriving)
    assert list(uploads.stored()) == [stored]


def test_partially_written_files_are_removed_after_a_crash(uploads, folder):
    (folder / "incoming" / "tmp123").write_bytes(b"half")
    with uploads.receiving(streams(b"one")):
        pass
    again = Uploads(folder)
    assert [path.name for path in files(folder)] == [digest(b"one")]
    assert list(again.stored()) == [digest(b"one")]


def test_a_stream_that_fails_leaves_nothing(uploads, folder):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError), uploads.receiving([Broken()]):
        pass
    assert files(folder) == []


def test_no_partial_file_has_the_name_of_its_digest(uploads):
    seen = []

    class Slow(io.BytesIO):
        def read(self, size=-1):
            seen.append(list(uploads.stored()))
            return super().read(1)

    with uploads.receiving([Slow(b"one")]) as (stored,):
        assert list(uploads.stored()) == [stored]
    assert seen == [[]] * 4


def test_a_block_that_fails_unpins_what_it_received(uploads):
    with pytest.raises(RuntimeError), uploads.receiving(streams(b"one")):
        raise RuntimeError
    uploads.discard({digest(b"one")})
    assert list(uploads.stored()) == []


def test_a_full_disk_is_an_error_and_leaves_no_partial_file(small_disk):
    uploads = Uploads(small_disk, unneeded=everything)
    large = streams(bytes(3_000_000))
    with pytest.raises(StorageFull, match="for uploads is full"), uploads.receiving(large):
        pass
    assert files(small_disk) == []
    with uploads.receiving(streams(b"small")) as (stored,):
        assert list(uploads.stored()) == [stored]


def test_uploads_before_the_disk_was_full_can_be_discarded(small_disk):
    uploads = Uploads(small_disk, unneeded=everything)
    with pytest.raises(StorageFull), uploads.receiving(streams(b"small", bytes(3_000_000))):
        pass
    assert list(uploads.stored()) == [digest(b"small")]
    uploads.discard(set(uploads.stored()))
    assert files(small_disk) == []


def test_a_disk_without_room_for_a_folder_leaves_nothing_pinned(small_disk):
    uploads = Uploads(small_disk, unneeded=everything)
    fillers = [small_disk / f"filler-{n}" for n in range(1000)]
    with suppress(OSError):
        for filler in fillers:
            filler.touch()
    assert not fillers[-1].exists()
    fillers[0].unlink()  # room for the file alone
    with pytest.raises(StorageFull), uploads.receiving(streams(b"one")):
        pass
    for filler in fillers:
        filler.unlink(missing_ok=True)
    with uploads.receiving(streams(b"one")) as stored:
        pass
    uploads.discard(set(stored))
    assert files(small_disk) == []


def test_many_threads_with_the_same_bytes_store_them_once(uploads, folder):
    def send():
        with uploads.receiving(streams(b"one", b"two")) as digests:
            assert digests == [digest(b"one"), digest(b"two")]

    threads = [threading.Thread(target=send) for _ in range(8)]
    run_threads(*threads)
    assert {path.name for path in files(folder)} == {digest(b"one"), digest(b"two")}
    Uploads(folder).discard(set(uploads.stored()))
    assert len(files(folder)) == 2
    uploads.discard(set(uploads.stored()))
    assert files(folder) == []
