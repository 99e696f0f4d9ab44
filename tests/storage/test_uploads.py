"""Uploads of one process and of several, with real catalogues and real stores."""

import hashlib
import io
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from bento_service.catalogue import Catalogue
from bento_service.catalogue.jobs.records import NewFile, NewJob
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.catalogue.tables import upload_pins, upload_removals
from bento_service.errors import NotReady, StorageFull, StorageUnavailable
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.object_blob_store import ObjectBlobStore
from bento_service.storage.uploads import Uploads
from tests.support.blobs import receiving
from tests.support.catalogues import sqlite_catalogue
from tests.support.object_storage import BUCKET, refusing, unavailable
from tests.support.waiting import run_threads, running, wait_until

SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 4, "fp32")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def streams(*contents):
    return [io.BytesIO(content) for content in contents]


class Replica:
    """A process that uses a catalogue and a store, which others use too."""

    def __init__(self, catalogue, blobs, **options):
        self.catalogue = catalogue
        self.blobs = blobs
        self.uploads = Uploads(blobs, catalogue.upload_pins, unneeded=self.unneeded, **options)
        self.cats = catalogue.collections.ensure("cats", SPACE)

    def unneeded(self, digests):
        return self.catalogue.upload_references.unneeded(digests, ended_after=datetime.now(UTC))

    def send(self, *contents):
        """Store contents, and create their job."""
        with self.uploads.intake() as intake:
            digests = [intake.add(stream) for stream in streams(*contents)]
            intake.finish()
            return self.create(digests, intake.holder)

    def create(self, digests, holder):
        files = tuple(NewFile(str(n), f"{n}.png", sha256) for n, sha256 in enumerate(digests))
        job = NewJob(SourceKind.UPLOAD, files=files)
        return self.catalogue.jobs.create(self.cats.id, "cats", job, holder=holder)

    def cancel(self, job):
        """Let nothing need the uploads of a job any more."""
        self.catalogue.job_control.cancel(job.id)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return sqlite_catalogue(tmp_path / "catalogue.db")
    return request.getfixturevalue("new_postgresql_database")()


@pytest.fixture
def new_replica(url, tmp_path):
    """Makes replicas over one catalogue and one folder."""
    opened = []

    def make(blobs=None, **options):
        opened.append(Catalogue.open(url))
        return Replica(opened[-1], blobs or FolderBlobStore(tmp_path / "uploads"), **options)

    yield make
    for catalogue in opened:
        catalogue.__exit__()


@pytest.fixture
def replica(new_replica):
    return new_replica()


@pytest.fixture
def uploads(replica):
    return replica.uploads


@pytest.fixture
def expire(replica):
    """Let pins or claims be older than a process lives without a sign."""

    def make(table):
        past = datetime.now(UTC) - timedelta(seconds=1)
        replica.catalogue.database.write(update(table).values(expires_at=past))

    return make


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


# Several processes


def test_another_process_cannot_discard_what_one_receives(new_replica):
    mine, other = new_replica(), new_replica()
    with mine.uploads.intake() as intake:
        stored = intake.add(io.BytesIO(b"one"))
        intake.finish()
        other.uploads.discard({stored})
        job = mine.create([stored], intake.holder)
        other.uploads.discard_all_unneeded()
    other.uploads.discard({stored})
    assert list(other.uploads.blobs.stored()) == [stored]
    assert other.catalogue.jobs.get(job.id).total == 1


@contextmanager
def removal(replica, sha256):
    """A removal of another process, between its check and the loss of the bytes."""
    checked, go_on, remove = threading.Event(), threading.Event(), replica.blobs.remove

    def remove_later(digests):
        if digests:
            checked.set()
            assert go_on.wait(60)
        remove(digests)

    replica.blobs.remove = remove_later
    thread = threading.Thread(target=replica.uploads.discard, args=({sha256},))
    with running(thread, stop=go_on.set):
        assert checked.wait(60)
        yield go_on


def test_bytes_that_are_being_removed_are_stored_again(new_replica):
    mine, other = new_replica(removal_seconds=60), new_replica()
    with receiving(mine.uploads, streams(b"one")) as (stored,):
        pass
    jobs = []
    with removal(other, stored) as go_on:
        sending = threading.Thread(target=lambda: jobs.append(mine.send(b"one")))
        with running(sending, stop=go_on.set):
            pins = lambda: mine.catalogue.database.rows(upload_pins.select())  # noqa: E731
            wait_until(pins)
            assert sending.is_alive()  # it waits for the end of the removal
    assert jobs[0].total == 1
    assert list(mine.uploads.blobs.stored()) == [stored]


def test_the_wait_for_a_removal_ends(new_replica, expire):
    mine, other = new_replica(removal_seconds=0.1), new_replica()
    with receiving(mine.uploads, streams(b"one")) as (stored,):
        pass
    with removal(other, stored):
        with pytest.raises(NotReady, match="being removed"):
            mine.send(b"one")
        assert mine.catalogue.jobs.open() == []
        mine.send(b"two")
        expire(upload_removals)  # as after the death of the other process
        mine.send(b"one")


def test_of_two_removals_of_the_same_bytes_one_is_left_to_the_other(new_replica):
    mine, other = new_replica(), new_replica()
    with receiving(mine.uploads, streams(b"one")) as (stored,):
        pass
    with removal(other, stored):
        mine.uploads.discard({stored})
        assert list(mine.uploads.blobs.stored()) == [stored]
    assert list(mine.uploads.blobs.stored()) == []


def test_an_upload_that_took_too_long_is_not_acknowledged(replica, new_replica, expire):
    other = new_replica()

    def send():
        with replica.uploads.intake() as intake:
            stored = intake.add(io.BytesIO(b"one"))
            intake.finish()
            expire(upload_pins)
            other.uploads.discard_all_unneeded()
            replica.create([stored], intake.holder)

    with pytest.raises(NotReady, match="send it again"):
        send()
    assert replica.catalogue.jobs.open() == []


def test_storing_more_renews_the_earlier_pins(replica, new_replica, expire):
    other = new_replica()
    with replica.uploads.intake() as intake:
        stored = intake.add(io.BytesIO(b"one"))
        intake.finish()
        expire(upload_pins)
        more = intake.add(io.BytesIO(b"two"))
        intake.finish()
        other.uploads.discard_all_unneeded()
        replica.create([stored, more], intake.holder)
    assert set(replica.uploads.blobs.stored()) == {stored, more}


def test_pins_of_a_dead_process_expire(replica, new_replica, expire):
    dead = new_replica()
    dead.catalogue.upload_pins.pin(uuid4().hex, [digest(b"one")])
    with receiving(replica.uploads, streams(b"one")) as (stored,):
        pass
    replica.uploads.discard({stored})
    assert list(replica.uploads.blobs.stored()) == [stored]
    expire(upload_pins)
    replica.uploads.discard_all_unneeded()
    assert list(replica.uploads.blobs.stored()) == []


def test_a_start_forgets_the_pins_of_before_if_it_is_alone(replica, url):
    pins = replica.catalogue.upload_pins
    pins.pin(uuid4().hex, [digest(b"one")])
    pins.forget_earlier()
    left = replica.catalogue.database.rows(upload_pins.select())
    assert len(left) == (0 if url.startswith("sqlite") else 1)


def test_nothing_is_removed_after_the_end(replica):
    with replica.uploads as uploads, receiving(uploads, streams(b"one")) as (stored,):
        pass
    uploads.discard({stored})
    uploads.discard_all_unneeded()
    assert list(uploads.blobs.stored()) == [stored]


def test_no_acknowledged_upload_is_lost_to_removals_of_others(new_replica):
    ended, lost, errors = threading.Event(), [], []
    contents = [b"one", b"two"]

    def discard(replica):
        while not ended.is_set():
            replica.uploads.discard_all_unneeded()
            replica.uploads.discard(set(map(digest, contents)))

    def send(replica, number):
        for turn in range(25):
            try:
                job = replica.send(contents[(turn + number) % 2])
                if not replica.blobs.sizes([digest(contents[(turn + number) % 2])]):
                    lost.append(job.id)
                replica.cancel(job)
            except Exception as error:  # noqa: BLE001 - the test fails with all of them
                errors.append(error)

    senders = [new_replica(removal_seconds=60) for _ in range(3)]
    discarding = [threading.Thread(target=discard, args=(new_replica(),)) for _ in range(2)]
    with running(*discarding, stop=ended.set):
        sending = (threading.Thread(target=send, args=(s, n)) for n, s in enumerate(senders))
        run_threads(*sending)
    assert (lost, errors) == ([], [])


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
