"""Reindexes in the catalogue: lists of images, switches and deletions meanwhile."""

import pytest

from bento_service.catalogue.jobs.records import Outcome
from bento_service.catalogue.states import SourceKind
from bento_service.errors import ImageNotFound
from client_sdk.schemas import JobState
from tests.catalogue.index_lifecycle.spaces import NEW_VECTOR, OLD_VECTOR, OTHER, serving
from tests.support.job_files import todo


def test_a_reindex_lists_the_living_images_by_id_with_their_first_path(
    catalogue, cats, add, begin, digest
):
    ids = add(cats, "a", "b", "c")
    catalogue.images.delete(cats.id, ids[1:2])
    job = begin(cats)
    assert (job.kind, job.state, job.total, job.path) == (
        SourceKind.REINDEX,
        JobState.PENDING,
        2,
        "vgg16-rmac4",
    )
    files = todo(catalogue, job)
    assert [(file.path, file.sha256) for file in files] == [
        (name, digest(name)) for name in ("a", "c")
    ]


def test_more_images_than_a_step_are_listed_once(catalogue, cats, add, begin):
    names = [f"{n:04}" for n in range(1203)]
    add(cats, *names)
    job = begin(cats)
    assert job.total == 1203
    catalogue.jobs.add_files(job.number, list(catalogue.reindexes.files(job.number)))
    assert catalogue.jobs.get(job.id).total == 1203  # a walk that begins again lists none twice


def test_the_old_index_serves_until_the_switch_and_the_new_one_after_it(
    catalogue, cats, space, add, begin, describe_again
):
    (tom,) = add(cats, "tom")
    before = catalogue.images.get(tom)
    job = begin(cats)
    assert catalogue.reindexes.due() == []
    describe_again(job)
    assert catalogue.jobs.get(job.id).state is JobState.PENDING  # nothing completes it but a switch
    (index,) = catalogue.reindexes.due()
    assert serving(catalogue) == space
    assert (index.space, index.serves, index.ready) == (OTHER, False, False)

    assert catalogue.reindexes.switch(index)

    now = catalogue.collections.named("cats")
    assert (now.id, now.space, now.index.name) == (cats.id, OTHER, index.name)
    assert catalogue.images.get(tom) == before
    assert catalogue.images.descriptor(tom, now.index.id).tolist() == NEW_VECTOR.tolist()
    assert catalogue.images.descriptor(tom, cats.index.id).tolist() == OLD_VECTOR.tolist()
    done = catalogue.jobs.get(job.id)
    assert (done.state, done.indexed, done.failed) == (JobState.COMPLETED, 1, 0)
    assert done.detail == "searches use vgg16-rmac4 in fp32 now"
    assert catalogue.reindexes.due() == []
    assert not catalogue.reindexes.switch(index)  # a second time it does nothing


def test_an_empty_collection_is_switched_at_once(catalogue, cats, reindexed):
    assert reindexed(cats).total == 0
    assert serving(catalogue) == OTHER


def test_images_added_meanwhile_are_written_for_both_indexes(
    catalogue, cats, add, begin, describe_again, folder_job, both
):
    add(cats, "old")
    job = begin(cats)
    train = folder_job(cats, "new")
    (file,) = todo(catalogue, train)
    catalogue.jobs.settle(train, [Outcome(file, described=both("new"))])
    describe_again(job)
    (index,) = catalogue.reindexes.due()
    assert list(catalogue.reindexes.files(index.job_number)) == []
    for one in catalogue.indexes.of(cats.id):
        assert len(catalogue.changes.living_ids(one.id, up_to=10**9)) == 2


def test_an_image_deleted_meanwhile_is_deleted_from_both_indexes(
    catalogue, cats, add, begin, describe_again, digest
):
    early, late, _ = add(cats, "early", "late", "kept")
    job = begin(cats)
    catalogue.images.delete(cats.id, [early])
    settled = describe_again(job)
    assert (settled.indexed, settled.duplicates, settled.failed) == (2, 1, 0)
    catalogue.images.delete(cats.id, [late])
    (index,) = catalogue.reindexes.due()
    changes = catalogue.changes.page(index.id, after=(0, 0), limit=10)
    assert {change.image_id: change.deleted for change in changes if change.deleted} == {late: True}
    assert catalogue.reindexes.switch(index)
    for image_id in (early, late):
        with pytest.raises(ImageNotFound):
            catalogue.images.get(image_id)
    assert catalogue.images.count(cats.id) == 1


def test_a_tombstone_stays_until_every_index_has_applied_it(catalogue, cats, add, reindexed):
    (tom,) = add(cats, "tom")
    reindexed(cats)
    new, old = catalogue.indexes.of(cats.id)
    catalogue.images.delete(cats.id, [tom])

    def tombstones():
        page = catalogue.changes.page(old.id, after=(0, 0), limit=10)
        return [change.image_id for change in page if change.deleted]

    catalogue.indexes.set_applied(new.id, 10**9)
    catalogue.images.purge(cats.id)
    assert tombstones() == [tom]
    catalogue.indexes.set_applied(old.id, 10**9)
    catalogue.images.purge(cats.id)
    assert tombstones() == []
