import os
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bento_service.catalogue.jobs.records import Outcome
from bento_service.catalogue.spellings import spellings
from bento_service.catalogue.states import SourceKind
from bento_service.errors import CollectionNotFound, ImageNotFound
from tests.support.job_files import todo
from tests.support.waiting import run_threads


def changed(catalogue, collection, *, after=(0, 0), limit=1000):
    return catalogue.changes.page(collection.index.id, after=after, limit=limit)


def purged(catalogue, collection, *, up_to):
    """Return what `purge` returns after the index has applied everything up to a revision."""
    catalogue.indexes.set_applied(collection.index.id, up_to)
    return catalogue.images.purge(collection.id)


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


# Changes, for the index


def test_changes_come_in_order_and_in_pages_across_one_large_revision(catalogue, cats, add):
    ids = add(cats, *(f"{n:03}" for n in range(25)))
    catalogue.images.delete_all(cats.id)  # one revision with 25 changes
    late = add(cats, "late")
    seen, position = [], (0, 0)
    while page := changed(catalogue, cats, after=position, limit=4):
        seen += [(change.revision, change.image_id) for change in page]
        position = seen[-1]
    assert seen == [(2, image_id) for image_id in ids] + [(3, late[0])]


def test_changes_after_a_whole_revision_leave_that_revision_out(catalogue, cats, add):
    add(cats, "a", "b")
    c = add(cats, "c")
    assert [x.image_id for x in changed(catalogue, cats, after=(1, 2**62))] == c


def test_every_change_has_a_higher_revision_than_those_before(catalogue, cats, add):
    (tom,) = add(cats, "tom")
    seen = [changed(catalogue, cats)[-1].revision]
    catalogue.changes.touch(cats.index, [tom])
    seen.append(changed(catalogue, cats)[-1].revision)
    catalogue.images.delete(cats.id, [tom])
    seen.append(changed(catalogue, cats)[-1].revision)
    assert seen == [1, 2, 3]
    assert catalogue.collections.named("cats").index.revision == 3


def test_ids_are_split_by_the_revision_that_the_index_has_applied(catalogue, cats, add):
    (old,), (gone,), (new,) = add(cats, "old"), add(cats, "gone"), add(cats, "new")
    catalogue.images.delete(cats.id, [gone])  # revision 4
    assert catalogue.changes.living_ids(cats.index.id, up_to=2) == {old}
    assert catalogue.changes.living_ids(cats.index.id, up_to=4) == {old, new}
    assert catalogue.changes.changed_ids(cats.index.id, after=2) == {gone, new}
    assert catalogue.changes.changed_ids(cats.index.id, after=4) == set()


def test_changing_metadata_is_no_change_for_the_index(catalogue, cats, add):
    (tom,) = add(cats, "tom")
    catalogue.images.set_metadata(tom, {"name": "Tom", "age": None})
    assert catalogue.images.get(tom).metadata == {"name": "Tom", "age": None}
    assert catalogue.collections.named("cats").index.revision == 1


# Pages


def test_pages_miss_and_repeat_nothing_while_images_come_and_go(catalogue, cats, add, ids):
    at_first = add(cats, *(f"{n:02}" for n in range(20)))
    seen, after, turn = [], 0, 0
    while page := catalogue.images.page(cats.id, after=(after,), limit=3):
        seen += [image.id for image in page]
        after = seen[-1]
        turn += 1
        if turn <= 3:
            catalogue.images.delete(cats.id, [at_first[turn], at_first[-turn]])
            add(cats, f"late {turn}")
    assert seen == sorted(set(seen))
    stayed = set(at_first) & set(ids(cats))
    assert stayed < set(seen)
    assert set(ids(cats)) <= set(seen)  # what came later has a higher id


def test_a_page_can_be_of_one_folder(catalogue, cats, add):
    names = ["a/1", "a/2", "ab/3", "b/a/4", "a", "A/5", "a/\udcff.jpg", "a%/6", "a_/7"]
    found = dict(zip(names, add(cats, *names), strict=True))

    def below(prefix):
        page = catalogue.images.page(cats.id, limit=99, prefix=prefix)
        return {image.id for image in page}

    assert below("a/") == {found["a/1"], found["a/2"], found["a/\udcff.jpg"]}
    assert below("a%") == {found["a%/6"]}
    assert below("a_") == {found["a_/7"]}
    assert below("nothing") == set()
    assert below("") == set(found.values())


@pytest.mark.parametrize("folder", ["B\u00fccher", "Bu\u0308cher"])
def test_a_page_of_one_folder_is_found_however_its_accents_are_composed(
    folder, catalogue, cats, add
):
    composed, decomposed = "B\u00fccher/M\u00fcller", "Bu\u0308cher/Mu\u0308ller"
    paths = [f"{composed}/a", f"{decomposed}/b", "B\u00fccher/Mu\u0308ller/c", "Bucher/d"]
    ids = add(cats, *paths)
    for name in ("M\u00fcller", "Mu\u0308ller"):
        page = catalogue.images.page(cats.id, limit=9, prefix=f"{folder}/{name}/")
        assert [image.id for image in page] == ids[:3]
    stored = [image.sources[0].path for image in page]
    assert stored == paths[:3]


def test_the_spellings_of_a_long_path_are_few():
    path = "/".join(["\u00fc"] * 30)
    assert spellings(path) == [path, path.replace("\u00fc", "u\u0308")]
    assert len(spellings("/".join(["\u00fc"] * 6))) == 64
    assert spellings("plain/ascii.jpg") == ["plain/ascii.jpg"]


def test_a_page_of_one_folder_knows_every_source(catalogue, cats, folder_job, settle_all):
    paths = ("one/a", "two/a")
    settle_all(folder_job(cats, *paths), same_as=dict.fromkeys(paths, "tom"))
    (found,) = catalogue.images.page(cats.id, limit=9, prefix="two/")
    assert [source.path for source in found.sources] == list(paths)


def test_paths_that_are_not_text_are_kept_byte_by_byte(catalogue, cats, add):
    path = os.fsdecode(bytes(range(1, 256)).replace(b"/", b""))
    (tom,) = add(cats, path)
    assert os.fsencode(catalogue.images.get(tom).sources[0].path) == os.fsencode(path)


# At once


def test_concurrent_writers_lose_nothing(catalogue, cats, folder_job, described, ids):
    failures = []

    def work(job, names):
        try:
            for file in todo(catalogue, job):
                catalogue.jobs.settle(job, [Outcome(file, described=described(file.path))])
                some = catalogue.images.page(cats.id, limit=3)
                catalogue.images.set_metadata(some[-1].id, {"by": job.number})
                catalogue.images.delete(cats.id, [10**9])
        except Exception as error:  # noqa: BLE001 - reported to the thread of the test
            failures.append(error)

    lists = [[f"{thread}-{n}" for n in range(8)] + ["shared"] for thread in range(4)]
    jobs = [folder_job(cats, *names) for names in lists]
    threads = [threading.Thread(target=work, args=pair) for pair in zip(jobs, lists, strict=True)]
    run_threads(*threads)
    assert failures == []
    assert len(ids(cats)) == 4 * 8 + 1
    done = [catalogue.jobs.get(job.id) for job in jobs]
    assert sum(job.indexed for job in done) == 33
    assert sum(job.duplicates for job in done) == 3
    assert {job.state for job in done} == {"completed"}
    revisions = [change.revision for change in changed(catalogue, cats)]
    assert revisions == sorted(set(revisions))


def test_of_many_digests_the_known_ones_are_returned(catalogue, cats, space, add, digest):
    dogs = catalogue.collections.create("dogs", space)
    tom, kit = add(cats, "tom", "kit")
    (rex,) = add(dogs, "rex")
    catalogue.images.delete(cats.id, [kit])
    others = [f"{number:064x}" for number in range(1200)]
    asked = [digest("tom"), digest("kit"), *others, digest("rex")]
    assert catalogue.images.known_among(cats.id, asked) == {digest("tom"): tom}
    assert catalogue.images.known_among(dogs.id, asked) == {digest("rex"): rex}
    assert catalogue.images.known_among(cats.id, []) == {}
