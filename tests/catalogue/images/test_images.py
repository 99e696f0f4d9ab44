"""Images that are added, deleted and purged."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bento_service.catalogue.jobs.records import Outcome
from bento_service.catalogue.states import SourceKind
from bento_service.errors import CollectionNotFound, ImageNotFound
from tests.catalogue.images.changes import changed
from tests.support.job_files import todo


def purged(catalogue, collection, *, up_to):
    """Return what `purge` returns after the index has applied everything up to a revision."""
    catalogue.indexes.set_applied(collection.index.id, up_to)
    return catalogue.images.purge(collection.id)


# Adding


def test_an_image_is_returned_as_it_was_described(catalogue, cats, folder_job, described):
    job = folder_job(cats, "a/tom.png", metadata={"x": 1})
    (file,) = todo(catalogue, job)
    picture = replace(described("tom"), width=640, height=480, bytes=12345, format="GIF")
    catalogue.jobs.settle(job, [Outcome(file, described=picture)])
    (image,) = catalogue.images.page(cats.id, limit=2)
    assert (image.width, image.height, image.bytes, image.format) == (640, 480, 12345, "GIF")
    assert (image.collection, image.sha256, image.metadata) == ("cats", picture.sha256, {"x": 1})
    assert image.created_at.tzinfo is not None
    (source,) = image.sources
    assert (source.kind, source.root, source.path) == (SourceKind.FILE, "pictures", "a/tom.png")
    assert catalogue.images.get(image.id) == image


def test_metadata_of_earlier_releases_is_returned_as_answers_can_carry_it(catalogue, cats, add):
    (tom,) = add(cats, "tom")
    catalogue.images.set_metadata(tom, {"a": ["\ud800", "é😀"], "b": {r"\ud": "\udfff"}})
    assert catalogue.images.get(tom).metadata == {"a": ["?", "é😀"], "b": {r"\ud": "?"}}


def test_descriptors_are_returned_bit_by_bit(catalogue, cats, folder_job, described):
    job = folder_job(cats, "tom")
    (file,) = todo(catalogue, job)
    components = np.array([1e-38, -0.5, 1 / 3, 0.0], np.float32)
    picture = replace(described("tom"), descriptors={cats.space.fingerprint: components})
    catalogue.jobs.settle(job, [Outcome(file, described=picture)])
    (change,) = changed(catalogue, cats)
    for stored in (change.descriptor, catalogue.images.descriptor(change.image_id, cats.index.id)):
        assert stored.dtype == np.float32
        assert stored.tobytes() == components.tobytes()


def test_the_same_bytes_under_other_paths_are_one_image(catalogue, cats, folder_job, settle_all):
    paths = ("one/a.jpg", "two/a.jpg", "b.jpg")
    settle_all(folder_job(cats, *paths), same_as=dict.fromkeys(paths, "tom"))
    (image,) = catalogue.images.page(cats.id, limit=10)
    assert [source.path for source in image.sources] == list(paths)
    assert len(changed(catalogue, cats)) == 1


def test_the_same_file_again_is_no_new_source(catalogue, cats, add):
    first, second = add(cats, "tom"), add(cats, "tom")
    assert first == second
    assert len(catalogue.images.get(first[0]).sources) == 1


def test_the_same_name_in_two_folders_is_two_images(catalogue, cats, add, ids):
    add(cats, "one/a.jpg", "two/a.jpg")
    assert len(ids(cats)) == 2


def test_collections_do_not_share_images(catalogue, cats, space, add):
    dogs = catalogue.collections.create("dogs", space)
    (tom,) = add(cats, "tom")
    (also_tom,) = add(dogs, "tom")
    assert tom != also_tom
    catalogue.images.delete_all(cats.id)
    assert (catalogue.images.count(cats.id), catalogue.images.count(dogs.id)) == (0, 1)


# Deleting


def test_a_deleted_image_is_in_no_answer(catalogue, cats, add, digest):
    tom, kit = add(cats, "tom", "kit")
    assert catalogue.images.delete(cats.id, [tom]) == 1
    assert catalogue.images.count(cats.id) == 1
    assert not catalogue.images.known(cats.id, digest("tom"))
    assert catalogue.images.by_ids([tom, kit]).keys() == {kit}
    assert [image.id for image in catalogue.images.page(cats.id, limit=9)] == [kit]
    for ask in (catalogue.images.get, partial(catalogue.images.descriptor, index_id=cats.index.id)):
        with pytest.raises(ImageNotFound, match=f"no image {tom}"):
            ask(tom)
    with pytest.raises(ImageNotFound):
        catalogue.images.set_metadata(tom, {})


def test_a_deleted_image_is_a_tombstone_for_the_index(catalogue, cats, add):
    tom, kit = add(cats, "tom", "kit")
    catalogue.images.delete(cats.id, [tom])
    assert [(c.image_id, c.revision, c.deleted) for c in changed(catalogue, cats)] == [
        (kit, 1, False),
        (tom, 2, True),
    ]


def test_only_existing_images_are_counted_as_deleted(catalogue, cats, space, add):
    dogs = catalogue.collections.create("dogs", space)
    (tom,), (rex,) = add(cats, "tom"), add(dogs, "rex")
    assert catalogue.images.delete(cats.id, [tom, tom, rex, 10**6, 0, -1, 2**63, 2**80]) == 1
    assert catalogue.images.delete(cats.id, [tom]) == 0
    assert catalogue.images.count(dogs.id) == 1


def test_deleting_everything_leaves_the_collection(catalogue, cats, add, ids):
    add(cats, *"abc")
    assert catalogue.images.delete_all(cats.id) == 3
    assert catalogue.images.delete_all(cats.id) == 0
    assert ids(cats) == []
    assert catalogue.collections.named("cats").id == cats.id


def test_deleting_from_a_deleted_collection_is_an_error(catalogue, cats):
    catalogue.collections.delete(cats.id)
    with pytest.raises(CollectionNotFound):
        catalogue.images.delete(cats.id, [1])
    with pytest.raises(CollectionNotFound):
        catalogue.images.delete_all(cats.id)


def test_a_picture_that_is_added_again_gets_a_new_id(catalogue, cats, add):
    (first,) = add(cats, "tom")
    catalogue.images.delete(cats.id, [first])
    (second,) = add(cats, "tom")
    assert second > first
    assert {c.image_id: c.deleted for c in changed(catalogue, cats)} == {first: True, second: False}


def test_an_id_is_never_used_twice(catalogue, cats, add):
    (first,) = add(cats, "tom")
    catalogue.images.delete_all(cats.id)
    purged(catalogue, cats, up_to=10**9)
    (second,) = add(cats, "kit")
    assert second > first


def test_more_images_than_fit_into_a_statement_are_found_and_deleted(catalogue, cats, add):
    ids = add(cats, *(str(n) for n in range(603)))
    assert sorted(catalogue.images.by_ids(ids)) == ids
    assert catalogue.images.delete(cats.id, ids[:600]) == 600
    assert catalogue.images.by_ids(ids).keys() == set(ids[600:])


@pytest.mark.parametrize("image_id", [0, -1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30])
def test_numbers_that_are_no_image_are_not_found(image_id, catalogue, cats, add):
    add(cats, "tom")
    assert catalogue.images.by_ids([image_id]) == {}
    for ask in (catalogue.images.get, partial(catalogue.images.descriptor, index_id=cats.index.id)):
        with pytest.raises(ImageNotFound):
            ask(image_id)
    with pytest.raises(ImageNotFound):
        catalogue.images.set_metadata(image_id, {})


# Tombstones and uploads


def test_tombstones_are_removed_when_the_index_has_applied_them(catalogue, cats, add):
    tom, kit, _ = add(cats, "tom", "kit", "lou")
    catalogue.images.delete(cats.id, [tom])  # revision 2
    catalogue.images.delete(cats.id, [kit])  # revision 3
    purged(catalogue, cats, up_to=2)
    assert [c.image_id for c in changed(catalogue, cats) if c.deleted] == [kit]
    purged(catalogue, cats, up_to=3)
    assert [c.image_id for c in changed(catalogue, cats) if c.deleted] == []
    assert catalogue.images.count(cats.id) == 1


def test_purging_returns_the_uploads_of_removed_images(
    catalogue, cats, add, upload_job, settle_all, digest
):
    add(cats, "from a folder")
    settle_all(upload_job(cats, "sent", "kept"))
    sent = next(
        image.id
        for image in catalogue.images.page(cats.id, limit=9)
        if image.sha256 == digest("sent")
    )
    folder = catalogue.images.page(cats.id, limit=1)[0].id
    catalogue.images.delete(cats.id, [sent, folder])
    assert purged(catalogue, cats, up_to=10**9) == {digest("sent")}
    assert purged(catalogue, cats, up_to=10**9) == set()
