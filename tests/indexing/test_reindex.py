"""Reindexing with a real catalogue and a real Milvus: preparing an index and switching to it."""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from bento_service.catalogue.jobs.records import Described, NewFile, NewJob, Outcome
from bento_service.catalogue.records import DescriptorSpace
from bento_service.catalogue.states import SourceKind
from bento_service.indexing.checks import defect
from bento_service.indexing.replay import Replay, ReplayPace
from client_sdk.schemas import JobState
from tests.support.indexes import commit, described, digest, random_units
from tests.support.job_files import todo
from tests.support.waiting import running, wait_until

OLD = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, 8, "fp32")
NEW = DescriptorSpace("vgg16-rmac4", "vgg16:one", "e" * 64, 16, "fp32")


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", OLD)


def vector(name, space):
    """Return a unit vector that depends only on the name and the space."""
    seed = int(digest(f"{name} in {space.descriptor}")[:8], 16)
    return random_units(1, space.dimension, seed)[0]


def picture(name):
    return described(name, {space.fingerprint: vector(name, space) for space in (OLD, NEW)})


def settle(catalogue, job):
    files = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(file, described=picture(file.path)) for file in files])


def add(catalogue, collection, *names):
    commit(catalogue, collection, {name: picture(name) for name in names})


def begin(catalogue, collection, space=NEW):
    """Begin a reindex and list its images, as the walk does."""
    job = catalogue.jobs.get(catalogue.reindexes.begin(collection, space, drop_missing=False))
    if files := list(catalogue.reindexes.files(job.number)):
        catalogue.jobs.add_files(job.number, files)
    catalogue.jobs.finish_walk(job.number)
    return job


@contextmanager
def following(catalogue, gallery):
    with Replay(
        catalogue, gallery, on_purged=lambda digests: None, pace=ReplayPace(gather_seconds=0.01)
    ) as replay:
        yield replay


def ended(catalogue, job):
    return catalogue.jobs.get(job.id).state not in (JobState.PENDING, JobState.IN_PROGRESS)


def settled_down(catalogue, replay):
    """Return whether all indexes are open and up to date, without tombstones or due reindexes."""
    indexes = catalogue.indexes.all()
    pages = [catalogue.changes.page(one.id, after=(0, 0), limit=1000) for one in indexes]
    return (
        all(replay.is_open(one) and one.applied >= one.revision for one in indexes)
        and not any(change.deleted for page in pages for change in page)
        and not catalogue.reindexes.due()
    )


def assert_serves(catalogue, gallery, space):
    """Assert that searches use the space, and that every index has exactly the images."""
    now = catalogue.collections.named("cats")
    assert now.space == space
    images = catalogue.images.page(now.id, limit=1000)
    for index in catalogue.indexes.of(now.id):
        assert gallery.ids(index.name) == {image.id for image in images}
        for image in images[:4]:
            own = vector(image.sources[0].path, index.space)
            (nearest,) = gallery.search(index.name, own, top_k=1)
            assert (nearest.image_id, round(nearest.score, 5)) == (image.id, 1.0)


def test_replay_fills_the_second_index_and_switches_when_its_job_is_done(catalogue, cats, gallery):
    add(catalogue, cats, "a", "b", "c")
    with following(catalogue, gallery) as replay:
        job = begin(catalogue, cats)
        replay.wake()
        time.sleep(0.3)
        assert catalogue.collections.named("cats").space == OLD
        settle(catalogue, job)
        replay.wake()
        wait_until(lambda: ended(catalogue, job))
        wait_until(lambda: settled_down(catalogue, replay))
    assert catalogue.jobs.get(job.id).state is JobState.COMPLETED
    assert_serves(catalogue, gallery, NEW)


def test_images_are_added_and_deleted_while_an_index_is_prepared(catalogue, cats, gallery):
    names = [f"old {n}" for n in range(20)]
    add(catalogue, cats, *names)
    stop = threading.Event()

    def change():
        number = 0
        while not stop.is_set():
            add(catalogue, cats, f"new {number}", f"short-lived {number}")
            image = catalogue.images.with_digest(cats.id, digest(f"short-lived {number}"))
            catalogue.images.delete(cats.id, [image.id])
            replay.wake()
            number += 1

    with following(catalogue, gallery) as replay:
        with running(threading.Thread(target=change), stop=stop.set):
            job = begin(catalogue, cats)
            while files := todo(catalogue, job, limit=3):
                outcomes = [Outcome(file, described=picture(file.path)) for file in files]
                catalogue.jobs.settle(job, outcomes)
                replay.wake()
            wait_until(lambda: ended(catalogue, job))
        wait_until(lambda: settled_down(catalogue, replay))
    assert catalogue.jobs.get(job.id).state is JobState.COMPLETED
    assert_serves(catalogue, gallery, NEW)
    paths = [i.sources[0].path for i in catalogue.images.page(cats.id, limit=1000)]
    assert set(names) <= set(paths)
    assert not any(path.startswith("short-lived") for path in paths)


def test_the_index_before_the_former_one_is_dropped(catalogue, cats, gallery):
    add(catalogue, cats, "a")
    third = replace(OLD, descriptor="vgg16-rgem", fingerprint="d" * 64)
    with following(catalogue, gallery) as replay:
        job = begin(catalogue, cats)
        settle(catalogue, job)
        replay.wake()
        wait_until(lambda: ended(catalogue, job))
        begun = begin(catalogue, cats, third)
        files = todo(catalogue, begun)
        own = Described(digest("a"), "PNG", 20, 10, 99, {third.fingerprint: vector("a", third)})
        catalogue.jobs.settle(begun, [Outcome(file, described=own) for file in files])
        replay.wake()
        wait_until(lambda: ended(catalogue, begun))
        wait_until(lambda: cats.index.name not in gallery.names())
    assert [one.space for one in catalogue.indexes.of(cats.id)] == [third, NEW]


class Crash:
    """A proxy that ends the calling thread at the n-th call, as a kill would."""

    def __init__(self, at):
        self.left = at

    def round(self, target):
        crash = self

        class Crashing:
            def __getattr__(self, name):
                def call(*arguments, **options):
                    crash.step()
                    result = getattr(target, name)(*arguments, **options)
                    crash.step()
                    return result

                return call

        return Crashing()

    def step(self):
        self.left -= 1
        if self.left < 0:
            raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_crash_at_any_point_of_a_switch_heals_at_the_next_start(catalogue, cats, gallery):
    add(catalogue, cats, "a", "b")
    point, space = 0, NEW
    while True:
        add(catalogue, cats, f"{point} stays", f"{point} goes")
        image = catalogue.images.with_digest(cats.id, digest(f"{point} goes"))
        job = begin(catalogue, cats, space)
        settle(catalogue, job)
        catalogue.images.delete(cats.id, [image.id])
        crash = Crash(point)
        followed = ("collections", "indexes", "changes", "images", "reindexes")
        around = {name: crash.round(getattr(catalogue, name)) for name in followed}
        with following(replace(catalogue, **around), crash.round(gallery)) as replay:
            wait_until(lambda replay=replay: not replay.alive or settled_down(catalogue, replay))
        if crash.left >= 0:
            break
        with following(catalogue, gallery) as replay:
            wait_until(lambda replay=replay: settled_down(catalogue, replay))
        assert catalogue.jobs.get(job.id).state is JobState.COMPLETED
        assert_serves(catalogue, gallery, space)
        point, space = point + 7, OLD if space is NEW else NEW
    assert point > 40


# Checking


@pytest.fixture
def prepared(catalogue, cats, gallery):
    """Return a prepared index that lacks the last of thirty images, which is not described yet."""
    add(catalogue, cats, *(f"{n}" for n in range(30)))
    with following(catalogue, gallery) as replay:
        job = begin(catalogue, cats)
        *files, _ = todo(catalogue, job)
        outcomes = [Outcome(file, described=picture(file.path)) for file in files]
        catalogue.jobs.settle(job, outcomes)
        replay.wake()
        wait_until(lambda: settled_down(catalogue, replay))
    (index,) = [one for one in catalogue.indexes.of(cats.id) if not one.serves]
    assert len(gallery.ids(index.name)) == 29
    return index


def test_a_correct_index_has_no_defect(catalogue, gallery, prepared):
    assert defect(catalogue, gallery, prepared) is None


def test_a_missing_or_unknown_row_is_a_defect(catalogue, gallery, prepared):
    some = sorted(gallery.ids(prepared.name))[0]
    gallery.delete(prepared.name, [some])
    assert "differs from the catalogue in 1 images" in defect(catalogue, gallery, prepared)
    gallery.upsert(prepared.name, [some, 10**6], [vector("x", NEW)] * 2)
    assert "differs from the catalogue in 1 images" in defect(catalogue, gallery, prepared)


def test_wrong_descriptors_are_a_defect(catalogue, gallery, prepared):
    ids = sorted(gallery.ids(prepared.name))
    gallery.upsert(prepared.name, ids, [vector(f"another {n}", NEW) for n in ids])
    assert "does not find itself" in defect(catalogue, gallery, prepared)


def test_two_swapped_images_are_a_defect(catalogue, gallery, prepared):
    first, second = sorted(gallery.ids(prepared.name))[:2]
    vectors = [catalogue.images.descriptor(one, prepared.id) for one in (second, first)]
    gallery.upsert(prepared.name, [first, second], vectors)
    assert "does not find itself" in defect(catalogue, gallery, prepared)


def test_equal_pictures_are_no_defect(catalogue, cats, gallery):
    add(catalogue, cats, "a")
    same = replace(picture("a"), sha256=digest("the same pixels"))
    files = (NewFile("b", "b"),)
    new = NewJob(SourceKind.FILE, root="r", files=files)
    job = catalogue.jobs.create(cats.id, "cats", new)
    (file,) = todo(catalogue, job)
    catalogue.jobs.settle(job, [Outcome(file, described=same)])
    with following(catalogue, gallery) as replay:
        wait_until(lambda: settled_down(catalogue, replay))
    assert defect(catalogue, gallery, catalogue.indexes.of(cats.id)[0]) is None


def test_a_defective_index_is_not_switched_to_and_the_next_reindex_rebuilds_it(
    catalogue, cats, gallery, prepared
):
    (job,) = [one for one in catalogue.jobs.open() if one.kind is SourceKind.REINDEX]
    with following(catalogue, gallery) as replay:
        wait_until(lambda: replay.is_open(prepared))  # what is wrong at its opening is mended there
        ids = sorted(gallery.ids(prepared.name))
        gallery.upsert(prepared.name, ids, [vector(f"another {n}", NEW) for n in ids])
        settle(catalogue, job)
        replay.wake()
        wait_until(lambda: ended(catalogue, job))
        assert catalogue.collections.named("cats").space == OLD
        failed = catalogue.jobs.get(job.id)
        assert failed.state is JobState.FAILED
        assert "does not find itself in the new index" in failed.detail
        again = begin(catalogue, cats)
        replay.wake()
        wait_until(lambda: ended(catalogue, again))
        wait_until(lambda: settled_down(catalogue, replay))
    assert catalogue.jobs.get(again.id).state is JobState.COMPLETED
    assert_serves(catalogue, gallery, NEW)
