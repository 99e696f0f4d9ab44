from datetime import UTC, datetime, timedelta

from bento_service.catalogue.jobs.records import Outcome
from tests.support.job_files import todo


def purged(catalogue, collection, *, up_to):
    """Return what `purge` returns after the index has applied everything up to a revision."""
    catalogue.indexes.set_applied(collection.index.id, up_to)
    return catalogue.images.purge(collection.id)


def unneeded(catalogue, digests, *, ended_after=None):
    """Return the unneeded uploads; by default, none are kept for retries."""
    now = datetime.now(UTC)
    return catalogue.upload_references.unneeded(digests, ended_after=ended_after or now)


def test_an_upload_is_needed_from_its_job_to_its_tombstone(
    catalogue, cats, upload_job, settle_all, digest
):
    sent = {digest("sent")}

    def not_needed():
        return unneeded(catalogue, {*sent, digest("never sent")})

    job = upload_job(cats, "sent")
    assert not_needed() == {digest("never sent")}  # an open job will read it
    settle_all(job)
    assert not_needed() == {digest("never sent")}  # an image came of it
    catalogue.images.delete_all(cats.id)
    purged(catalogue, cats, up_to=10**9)
    assert not_needed() == {*sent, digest("never sent")}


def test_an_upload_of_another_image_is_needed(
    catalogue, cats, space, upload_job, settle_all, digest
):
    dogs = catalogue.collections.create("dogs", space)
    for collection in (cats, dogs):
        settle_all(upload_job(collection, "sent"))
    catalogue.images.delete_all(cats.id)
    assert purged(catalogue, cats, up_to=10**9) == {digest("sent")}
    assert unneeded(catalogue, {digest("sent")}) == set()


def test_an_upload_of_a_job_that_cannot_go_on_is_not_needed(catalogue, cats, upload_job, digest):
    job = upload_job(cats, "sent")
    catalogue.collections.delete(cats.id)
    catalogue.jobs.fail(job.number, "the collection was deleted")
    assert unneeded(catalogue, {digest("sent")}) == {digest("sent")}


def test_a_failed_upload_is_needed_for_a_limited_time(catalogue, cats, upload_job, digest):
    job = upload_job(cats, "bad")
    (file,) = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(file, code="image_unreadable", detail="why")])
    assert unneeded(catalogue, {digest("bad")}) == {digest("bad")}


def test_failed_and_unreached_uploads_are_kept_for_a_retry(catalogue, cats, upload_job, digest):
    job = upload_job(cats, "bad", "not reached")
    bad, _ = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(bad, code="image_unreadable", detail="why")])
    sent = {digest("bad"), digest("not reached")}
    assert unneeded(catalogue, sent) == set()
    catalogue.job_control.cancel(job.id)
    ended = catalogue.jobs.get(job.id).finished_at
    assert unneeded(catalogue, sent, ended_after=ended - timedelta(seconds=1)) == set()
    assert unneeded(catalogue, sent, ended_after=ended) == sent
    assert catalogue.upload_references.left_between(ended - timedelta(seconds=1), ended) == sent
    assert catalogue.upload_references.left_between(ended + timedelta(seconds=1), ended) == set()
