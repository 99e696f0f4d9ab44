"""Jobs of uploaded archives: idempotency keys, and the files that failed requests leave."""

import pytest

from bento_service.catalogue.jobs.records import Claim, Outcome
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument, StorageFull
from bento_service.storage.folder_blob_store import FolderBlobStore
from bento_service.storage.uploads import Intake
from tests.ingest.starting.archives import CONTENT, zipped
from tests.support.job_files import todo


def test_a_full_disk_leaves_nothing_of_an_archive(receiver, small_disk):
    receiver.folder = small_disk / "uploads"
    receiver.use(FolderBlobStore(receiver.folder))
    with pytest.raises(StorageFull):
        receiver.send(zipped())
    assert receiver.on_disk() == []


def test_an_upload_that_was_stored_before_survives_a_refusal(receiver):
    kept = receiver.send(b"kept")
    with pytest.raises(InvalidArgument):
        receiver.send(b"kept", zipped()[:200])
    assert receiver.listed(kept) == {"sent-0": b"kept"}


def test_a_collection_deleted_while_its_upload_is_stored_is_not_found(receiver, monkeypatch):
    store, collections = Intake.finish, receiver.catalogue.collections

    def store_slowly(intake):
        store(intake)
        collections.delete(collections.named("cats").id)

    monkeypatch.setattr(Intake, "finish", store_slowly)
    with pytest.raises(CollectionNotFound, match="'cats' was deleted"):
        receiver.send(b"sent")
    assert receiver.on_disk() == []


def test_a_batch_that_cannot_be_stored_is_refused(receiver):
    with pytest.raises(InvalidArgument, match=r"batch: 'a\\x00b' is not valid"):
        receiver.send(b"sent", batch="a\0b")
    assert receiver.on_disk() == []


def test_an_archive_with_a_used_key_returns_the_earlier_job(receiver):
    claim = Claim("order 17", "asked")
    first = receiver.send(zipped(), claim=claim)
    again = receiver.send(zipped(), claim=claim)
    assert again.id == first.id
    with pytest.raises(Conflict, match="order 17"):
        receiver.send(zipped({"z.jpg": b"other"}), claim=Claim("order 17", "another"))
    assert set(receiver.listed(first).values()) == set(CONTENT.values())
    assert len(receiver.on_disk()) == len(CONTENT)


def test_unneeded_uploads_of_a_repeated_request_are_removed(receiver):
    claim = Claim("order 17", "asked")
    job = receiver.send(zipped(), claim=claim)
    failed = [
        Outcome(file, code="image_unreadable", detail="why")
        for file in todo(receiver.catalogue, job)
    ]
    receiver.catalogue.jobs.settle(job, failed)
    assert receiver.send(zipped(), claim=claim).id == job.id
    assert receiver.on_disk() == []
