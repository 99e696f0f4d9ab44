"""Changes for the index, pages of images, and concurrent writers."""

import os
import threading

import pytest

from bento_service.catalogue.jobs.records import Outcome
from bento_service.catalogue.spellings import spellings
from tests.catalogue.images.changes import changed
from tests.support.job_files import todo
from tests.support.waiting import run_threads

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


# Concurrent writers


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


def test_the_known_ones_of_many_digests_are_returned(catalogue, cats, space, add, digest):
    dogs = catalogue.collections.create("dogs", space)
    tom, kit = add(cats, "tom", "kit")
    (rex,) = add(dogs, "rex")
    catalogue.images.delete(cats.id, [kit])
    others = [f"{number:064x}" for number in range(1200)]
    asked = [digest("tom"), digest("kit"), *others, digest("rex")]
    assert catalogue.images.known_among(cats.id, asked) == {digest("tom"): tom}
    assert catalogue.images.known_among(dogs.id, asked) == {digest("rex"): rex}
    assert catalogue.images.known_among(cats.id, []) == {}
