"""Faults of object storage: each is a clear error, and nothing acknowledged is lost."""

import tempfile

import pytest

from bento_service.errors import ImageNotFound, NotReady, StorageFull, StorageUnavailable
from bento_service.storage.object_blob_store import ObjectBlobStore
from tests.support.blobs import put
from tests.support.object_storage import BUCKET, refusing, slow, unavailable

IMPATIENT = {"config_kwargs": {"read_timeout": 0.3, "retries": {"total_max_attempts": 1}}}


@pytest.fixture
def blobs(s3):
    return ObjectBlobStore(f"s3://{BUCKET}/uploads", **s3.options)


@pytest.fixture
def one(blobs):
    """Return the digest of bytes that are stored."""
    return put(blobs, b"one")[0]


def calls(blobs, one):
    return {
        "keep": lambda: put(blobs, b"two"),
        "open": lambda: blobs.open(one).close(),
        "sizes": lambda: blobs.sizes([one]),
        "stored": lambda: list(blobs.stored()),
        "remove": lambda: blobs.remove({one}),
    }


NAMES = ("keep", "open", "sizes", "stored", "remove")


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_is_away_is_an_error_until_it_is_back(s3, blobs, one, name):
    s3.stop()
    try:
        with pytest.raises(StorageUnavailable, match="nothing is lost, try again shortly"):
            calls(blobs, one)[name]()
    finally:
        s3.start()
    assert blobs.sizes([one]) == {one: 3}
    calls(blobs, one)[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_answers_503_is_an_error(s3, blobs, one, name):
    s3.fault = unavailable
    with pytest.raises(StorageUnavailable):
        calls(blobs, one)[name]()
    s3.fault = None
    assert blobs.sizes([one]) == {one: 3}


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_does_not_answer_in_time_is_an_error(s3, one, name):
    blobs = ObjectBlobStore(f"s3://{BUCKET}/uploads", **s3.options, **IMPATIENT)
    s3.fault = slow(1.0)
    with pytest.raises(StorageUnavailable):
        calls(blobs, one)[name]()


def test_one_503_is_tried_again(s3, blobs, one):
    def once(environ, start_response):
        s3.fault = None
        return unavailable(environ, start_response)

    s3.fault = once
    (two,) = put(blobs, b"two")
    assert set(blobs.stored()) == {one, two}


def test_an_upload_that_was_refused_is_not_stored(s3, blobs):
    s3.fault = refusing("PUT")
    with pytest.raises(StorageUnavailable):
        put(blobs, b"one")
    s3.fault = None
    assert list(blobs.stored()) == []


def test_a_bucket_that_is_missing_is_an_error_of_the_storage(s3):
    blobs = ObjectBlobStore("s3://not-there/uploads", **s3.options)
    with pytest.raises(StorageUnavailable, match="no such bucket"):
        put(blobs, b"one")
    with pytest.raises(ImageNotFound):
        blobs.open("a" * 64)


def test_bytes_that_are_half_stored_are_stored_again(blobs, one):
    blobs._files.pipe_file(blobs._key(one), b"on")  # as file systems that write in place leave it
    assert put(blobs, b"one") == [one]
    assert blobs.sizes([one]) == {one: 3}


def test_bytes_that_are_stored_are_not_sent_again(s3, blobs, one):
    s3.requests.clear()
    put(blobs, b"one")
    assert [method for method, _ in s3.requests] == ["HEAD"]


def test_a_full_disk_for_temporary_files_is_an_error_of_its_own(blobs, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(StorageFull, match="is full"):
        put(blobs, bytes(3_000_000))
    assert len(put(blobs, b"small")) == 1


def test_reading_is_one_request(s3, blobs, one):
    s3.requests.clear()
    with blobs.open(one) as file:
        assert file.read() == b"one"
    assert s3.requests == [("GET", f"/{BUCKET}/uploads/{one[:2]}/{one}")]


def test_many_objects_are_removed_by_one_request(s3, blobs):
    digests = set(put(blobs, *(f"{n}".encode() for n in range(20))))
    s3.requests.clear()
    blobs.remove(digests)
    assert [method for method, _ in s3.requests] == ["POST"]
    assert list(blobs.stored()) == []


def test_changes_of_another_process_are_seen_at_once(s3, blobs, one):
    other = ObjectBlobStore(f"s3://{BUCKET}/uploads", **s3.options)
    assert list(other.stored()) == [one]
    (two,) = put(blobs, b"two")
    assert sorted(other.stored()) == sorted([one, two])
    blobs.remove({one})
    assert other.sizes([one, two]) == {two: 3}


def test_the_error_is_one_that_jobs_wait_for(s3, blobs, one):
    assert issubclass(StorageUnavailable, NotReady)
    assert StorageUnavailable.status == 503
