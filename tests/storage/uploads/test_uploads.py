"""Uploads of one process, and of one with object storage."""

import io
import threading

import pytest

from bento_service.catalogue.tables import upload_removals
from bento_service.errors import StorageFull, StorageUnavailable
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.object_blob_store import ObjectBlobStore
from tests.storage.uploads.replicas import digest, streams
from tests.support.blobs import receiving
from tests.support.object_storage import BUCKET, refusing, unavailable
from tests.support.waiting import run_threads

# One process


def test_digests_are_in_the_order_of_the_streams(uploads):
    with receiving(uploads, streams(b"one", b"two", b"", b"one")) as digests:
        assert digests == [digest(b"one"), digest(b"two"), digest(b""), digest(b"one")]


def test_uploads_survive_a_restart(new_replica):
    with receiving(new_replica().uploads, streams(b"one")) as (stored,):
        pass
    with new_replica().uploads.blobs.open(stored) as file:
        assert file.read() == b"one"


def test_more_uploads_than_a_batch_are_stored(uploads):
    contents = [f"number {n}".encode() for n in range(150)]
    with receiving(uploads, streams(*contents)) as digests:
        assert set(uploads.blobs.stored()) == set(digests) == set(map(digest, contents))


def test_bytes_cannot_be_discarded_while_they_are_received(uploads):
    with receiving(uploads, streams(b"one")) as (stored,):
        uploads.discard({stored})
        uploads.discard_all_unneeded()
        assert list(uploads.blobs.stored()) == [stored]
    uploads.discard({stored})
    assert list(uploads.blobs.stored()) == []


def test_uploads_that_a_retry_holds_cannot_be_discarded(uploads):
    with receiving(uploads, streams(b"one")) as (stored,):
        pass
    with uploads.holding([stored, digest(b"never sent")]) as present:
        assert present == {stored}
        uploads.discard({stored})
        assert list(uploads.blobs.stored()) == [stored]
    uploads.discard({stored})
    assert list(uploads.blobs.stored()) == []


def test_bytes_in_two_requests_are_kept_until_both_end(uploads):
    with receiving(uploads, streams(b"one")) as (stored,):
        with receiving(uploads, streams(b"one", b"one")):
            pass
        uploads.discard({stored})
        assert list(uploads.blobs.stored()) == [stored]


def test_only_unneeded_uploads_are_discarded(replica):
    kept = replica.send(b"one")
    with receiving(replica.uploads, streams(b"two", b"three")) as (two, three):
        pass
    replica.uploads.discard({digest(b"one"), two, digest(b"never sent")})
    assert set(replica.uploads.blobs.stored()) == {digest(b"one"), three}
    replica.uploads.discard_all_unneeded()
    assert list(replica.uploads.blobs.stored()) == [digest(b"one")]
    replica.cancel(kept)
    replica.uploads.discard_all_unneeded()
    assert list(replica.uploads.blobs.stored()) == []


def test_a_block_that_fails_discards_what_it_received(replica):
    kept = replica.send(b"needed")

    def fail():
        with replica.uploads.intake() as intake:
            intake.add(io.BytesIO(b"one"))
            intake.add(io.BytesIO(b"needed"))
            intake.finish()
            intake.add(io.BytesIO(b"not stored yet"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(replica.uploads.blobs.stored()) == [digest(b"needed")]
    assert kept.total == 1


def test_a_stream_that_fails_leaves_nothing(uploads, tmp_path):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError), receiving(uploads, [io.BytesIO(b"one"), Broken()]):
        pass
    assert [path for path in tmp_path.glob("uploads/**/*") if path.is_file()] == []


def test_uploads_before_the_disk_was_full_are_discarded(new_replica, small_disk):
    uploads = new_replica(FolderBlobStore(small_disk)).uploads
    with pytest.raises(StorageFull), receiving(uploads, streams(b"small", bytes(3_000_000))):
        pass
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    with receiving(uploads, streams(b"small")) as (stored,):
        assert list(uploads.blobs.stored()) == [stored]


def test_other_files_in_the_folder_are_kept(uploads, tmp_path):
    stray = tmp_path / "uploads" / "ab" / ("long name of another file" * 5)
    stray.parent.mkdir(parents=True)
    stray.write_text("mine")
    uploads.discard_all_unneeded()
    assert stray.exists()


def test_many_threads_with_the_same_bytes_store_them_once(uploads, tmp_path):
    def send():
        with receiving(uploads, streams(b"one", b"two")) as digests:
            assert digests == [digest(b"one"), digest(b"two")]

    run_threads(*(threading.Thread(target=send) for _ in range(8)))
    stored = [path.name for path in tmp_path.glob("uploads/**/*") if path.is_file()]
    assert sorted(stored) == sorted([digest(b"one"), digest(b"two")])


# Object storage


@pytest.fixture
def in_s3(new_replica, s3):
    return new_replica(ObjectBlobStore(f"s3://{BUCKET}/uploads", **s3.options))


@pytest.mark.parametrize("fault", [unavailable, refusing("PUT")], ids=["all", "writes"])
def test_an_upload_is_acknowledged_only_when_its_object_is_stored(in_s3, s3, fault):
    s3.fault = fault
    with pytest.raises(StorageUnavailable):
        in_s3.send(b"one", b"two")
    assert in_s3.catalogue.jobs.open() == []
    s3.fault = None
    job = in_s3.send(b"one", b"two")
    assert set(in_s3.uploads.blobs.stored()) == {digest(b"one"), digest(b"two")}
    assert job.total == 2


def test_a_removal_that_fails_is_put_off(in_s3, s3, expire, caplog):
    in_s3.cancel(in_s3.send(b"one"))
    s3.fault = refusing("POST")
    in_s3.uploads.discard({digest(b"one")})
    assert "is put off" in caplog.text
    s3.fault = None
    in_s3.uploads.discard_all_unneeded()
    assert list(in_s3.uploads.blobs.stored()) == [
        digest(b"one")
    ]  # the first removal may still happen
    expire(upload_removals)
    in_s3.uploads.discard_all_unneeded()
    assert list(in_s3.uploads.blobs.stored()) == []
