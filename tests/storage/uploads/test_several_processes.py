"""Uploads that several processes store and remove."""

import io
import threading
from contextlib import contextmanager
from uuid import uuid4

import pytest

from bento_service.catalogue.tables import upload_pins, upload_removals
from bento_service.errors import NotReady
from tests.storage.uploads.replicas import digest, streams
from tests.support.blobs import receiving
from tests.support.waiting import run_threads, running, wait_until


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
    """Yield a removal of another process, between its check and the loss of the bytes."""
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


def test_the_second_of_two_removals_of_the_same_bytes_does_nothing(new_replica):
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
