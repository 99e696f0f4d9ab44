"""Retired indexes: unused at once, while their descriptors are deleted in small parts."""

import pytest
from sqlalchemy import func, select

from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.tables import descriptors, indexes

OTHER = DescriptorSpace("vgg16-rmac4", "vgg16:one", "e" * 64, 2, "fp32")


@pytest.fixture
def rows(catalogue):
    def count(table):
        return catalogue.database.scalar(select(func.count()).select_from(table))

    return lambda: (count(indexes), count(descriptors))


@pytest.fixture
def given_up(catalogue, cats, add, described, digest, folder_job):
    """Five images, and a second index with three of their descriptors that was given up."""
    names = ("a", "b", "c", "d", "e")
    ids = add(cats, *names)
    catalogue.reindexes.begin(cats, OTHER, drop_missing=False)
    prepared = catalogue.indexes.of(cats.id)[1]
    with catalogue.database.writing() as connection:
        for image_id in ids[:3]:
            connection.execute(
                descriptors.insert().values(
                    image_id=image_id, index_id=prepared.id, revision=1, descriptor=b"\0" * 8
                )
            )
    assert catalogue.reindexes.forget(cats) == 1
    return prepared


def test_a_retired_index_is_gone_at_once_while_its_rows_remain(catalogue, cats, given_up, rows):
    assert [one.id for one in catalogue.indexes.all()] == [cats.index.id]
    assert catalogue.indexes.get(given_up.id) is None
    assert rows() == (2, 8)


def test_rows_are_deleted_in_parts_and_the_index_after_them(catalogue, given_up, rows):
    seen = []
    while catalogue.retired_indexes.sweep(rows=2):
        seen.append(rows())
    assert seen == [(2, 6), (1, 5)]


def test_a_retired_version_can_be_prepared_before_its_rows_are_deleted(
    catalogue, cats, given_up, rows
):
    catalogue.reindexes.begin(cats, OTHER, drop_missing=False)
    again = catalogue.indexes.of(cats.id)[1]
    assert again.space.fingerprint == OTHER.fingerprint
    assert again.id != given_up.id
    assert len(list(catalogue.reindexes.files(again.job_number))) == 5
    while catalogue.retired_indexes.sweep():
        pass
    assert rows() == (2, 5)


def test_tombstones_do_not_wait_for_a_retired_index(catalogue, cats, given_up):
    catalogue.images.delete_all(cats.id)
    index = catalogue.collections.named("cats").index
    catalogue.indexes.set_applied(index.id, index.revision)
    catalogue.images.purge(cats.id)
    assert catalogue.changes.page(index.id, after=(0, 0), limit=10) == []


def test_without_retired_indexes_a_sweep_does_nothing(catalogue, cats, add, rows):
    add(cats, "a")
    assert not catalogue.retired_indexes.sweep()
    assert rows() == (1, 1)
