"""Reindexes that fail, are replaced, cancelled, undone or forgotten."""

import pytest

from bento_service.catalogue.jobs.records import Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.errors import CollectionNotFound, Conflict
from client_sdk.schemas import JobState
from tests.catalogue.index_lifecycle.spaces import OLD_VECTOR, OTHER, serving
from tests.support.job_files import todo

THIRD = DescriptorSpace("vgg16-rgem", "vgg16:one", "d" * 64, 3, "fp32")


def test_images_that_could_not_be_described_keep_the_old_index_serving(
    catalogue, cats, space, add, begin, describe_again
):
    add(cats, "a", "b", "c")
    job = begin(cats)
    describe_again(job, missing=["b"])
    (index,) = catalogue.reindexes.due()
    assert not catalogue.reindexes.switch(index)
    ended = catalogue.jobs.get(job.id)
    assert (ended.state, ended.indexed, ended.failed) == (JobState.COMPLETED, 2, 1)
    assert ended.detail.startswith("1 images could not be described in vgg16-rmac4 in fp32")
    assert serving(catalogue) == space
    assert catalogue.reindexes.due() == []

    again = begin(cats)
    assert again.total == 1  # what was described is kept
    describe_again(again)
    (index,) = catalogue.reindexes.due()
    assert catalogue.reindexes.switch(index)
    assert catalogue.images.count(cats.id) == 3


def test_drop_missing_deletes_missing_images(catalogue, cats, add, begin, describe_again):
    a, b = add(cats, "a", "b")
    job = begin(cats, drop_missing=True)
    describe_again(job, missing=["b"])
    (index,) = catalogue.reindexes.due()
    assert catalogue.reindexes.switch(index)
    assert serving(catalogue) == OTHER
    assert catalogue.images.by_ids([a, b]).keys() == {a}
    old = catalogue.changes.page(cats.index.id, after=(0, 0), limit=10)
    assert {change.image_id: change.deleted for change in old} == {a: False, b: True}
    assert "1 images that could not be described are deleted" in catalogue.jobs.get(job.id).detail


def test_a_version_that_serves_or_is_being_prepared_is_a_conflict(catalogue, cats, space, begin):
    with pytest.raises(Conflict, match="holds vgg16-mac in fp32 already"):
        begin(cats, space)
    job = begin(cats)
    for wanted in (OTHER, THIRD):
        with pytest.raises(Conflict, match=f"job {job.id} reindexes 'cats' already"):
            begin(cats, wanted)


def test_another_version_replaces_an_unfinished_one(catalogue, cats, add, begin, describe_again):
    add(cats, "a")
    describe_again(begin(cats), missing=["a"])
    (index,) = catalogue.reindexes.due()
    catalogue.reindexes.switch(index)
    begin(cats, THIRD)
    assert [one.space for one in catalogue.indexes.of(cats.id)] == [cats.space, THIRD]


def test_only_the_version_before_the_last_switch_is_kept(catalogue, cats, add, begin, reindexed):
    reindexed(cats)
    reindexed(cats, THIRD)
    assert [one.space for one in catalogue.indexes.of(cats.id)] == [THIRD, OTHER]


def test_undo_switches_back_and_forth_at_once(catalogue, cats, space, add, reindexed):
    with pytest.raises(Conflict, match="no former version"):
        catalogue.reindexes.undo(cats)
    (tom,) = add(cats, "tom")
    reindexed(cats)
    catalogue.reindexes.undo(cats)
    assert serving(catalogue) == space
    assert catalogue.images.descriptor(tom, cats.index.id).tolist() == OLD_VECTOR.tolist()
    catalogue.reindexes.undo(cats)
    assert serving(catalogue) == OTHER


def test_reindexing_to_the_former_version_describes_only_newer_images(
    catalogue, cats, space, add, begin, describe_again, reindexed, folder_job, both
):
    add(cats, "before")
    reindexed(cats)
    train = folder_job(cats, "since")
    (file,) = todo(catalogue, train)
    catalogue.jobs.settle(train, [Outcome(file, described=both("since", old=None))])
    with pytest.raises(Conflict, match="1 images came to 'cats' since it held vgg16-mac in fp32"):
        catalogue.reindexes.undo(cats)
    back = begin(cats, space)
    assert [file.path for file in todo(catalogue, back)] == ["since"]
    describe_again(back)
    (index,) = catalogue.reindexes.due()
    assert catalogue.reindexes.switch(index)
    assert serving(catalogue) == space


def test_a_canceled_reindex_drops_only_the_index_that_it_prepared(
    catalogue, cats, space, add, begin, describe_again
):
    add(cats, "tom")
    first = begin(cats)
    describe_again(first)
    assert catalogue.reindexes.switch(catalogue.reindexes.target(first.number))
    second = begin(cats, THIRD)
    assert len(catalogue.indexes.of(cats.id)) == 3
    catalogue.job_control.cancel(second.id)
    assert [index.space for index in catalogue.indexes.of(cats.id)] == [OTHER, space]
    assert catalogue.jobs.get(second.id).state is JobState.CANCELED
    with pytest.raises(Conflict, match="is completed already"):
        catalogue.job_control.cancel(first.id)


def test_a_retry_of_a_canceled_reindex_describes_everything(
    catalogue, cats, add, begin, describe_again, both
):
    add(cats, "tom", "kit")
    job = begin(cats)
    first, _ = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(first, described=both(first.path))])
    catalogue.job_control.cancel(job.id)
    again = catalogue.reindexes.begin(cats, OTHER, drop_missing=False, retry_of=job.id)
    again = catalogue.jobs.get(again)
    catalogue.jobs.add_files(again.number, list(catalogue.reindexes.files(again.number)))
    catalogue.jobs.finish_walk(again.number)
    assert describe_again(again).indexed == 2
    assert catalogue.reindexes.switch(catalogue.reindexes.target(again.number))


def test_forget_drops_all_but_the_serving_index_and_ends_the_job(
    catalogue, cats, space, add, begin, describe_again
):
    (tom,) = add(cats, "tom")
    job = begin(cats)
    catalogue.reindexes.forget(cats)
    assert [one.space for one in catalogue.indexes.all()] == [space]
    ended = catalogue.jobs.get(job.id)
    assert (ended.state, ended.detail) == (JobState.CANCELED, "the reindex was given up")
    assert describe_again(job).indexed == 0  # what was under way is not committed
    with pytest.raises(Conflict, match="given up"):
        catalogue.reindexes.target(job.number)
    assert catalogue.images.descriptor(tom, cats.index.id).tolist() == OLD_VECTOR.tolist()


def test_a_defective_index_fails_its_job_and_is_filled_again(
    catalogue, cats, space, add, begin, describe_again
):
    add(cats, "tom")
    job = begin(cats)
    describe_again(job)
    (index,) = catalogue.reindexes.due()
    catalogue.indexes.set_applied(index.id, 7)
    catalogue.reindexes.fail(index, "it differs")
    ended = catalogue.jobs.get(job.id)
    assert (ended.state, ended.detail) == (JobState.FAILED, "it differs")
    assert serving(catalogue) == space
    assert [one.applied for one in catalogue.indexes.of(cats.id)] == [0, 0]
    again = begin(cats)
    assert again.total == 0
    assert [one.job_number for one in catalogue.reindexes.due()] == [again.number]


def test_a_version_that_is_not_computed_is_a_conflict_and_writes_nothing(
    catalogue, cats, add, reindexed, folder_job, both
):
    reindexed(cats)
    train = folder_job(cats, "new")
    (file,) = todo(catalogue, train)
    with pytest.raises(Conflict, match="vgg16-rmac4 in fp32, which this service does not compute"):
        catalogue.jobs.settle(train, [Outcome(file, described=both("new", new=None))])
    assert catalogue.images.count(cats.id) == 0


def test_a_collection_deleted_meanwhile_ends_its_reindex(catalogue, cats, add, begin):
    add(cats, "tom")
    job = begin(cats)
    (index,) = [one for one in catalogue.indexes.of(cats.id) if not one.serves]
    catalogue.collections.delete(cats.id)
    assert catalogue.indexes.all() == []
    assert catalogue.reindexes.due() == []
    with pytest.raises(CollectionNotFound):
        catalogue.reindexes.switch(index)
    with pytest.raises(Conflict):
        catalogue.reindexes.target(job.number)
    with pytest.raises(CollectionNotFound):
        catalogue.reindexes.begin(cats, OTHER, drop_missing=False)
