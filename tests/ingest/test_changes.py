"""Jobs of changed and deleted files and of manifests, with real files and a real worker."""

import io
import json
import os
import time
from datetime import timedelta

import pytest
from PIL import Image

from bento_service.catalogue.jobs.records import Claim, NewFile, Outcome, Stamp
from bento_service.catalogue.records import Computed
from bento_service.errors import CollectionNotFound, Conflict, InvalidArgument, PathNotFound
from bento_service.ingest.retrying import retry_job
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.requests import TrainRequest
from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.ingest.worker.test_worker import Colours, Room, colours, counted
from tests.support.job_files import todo
from tests.support.pictures import png

OLD = time.time() - 3600


def bmp(colour):
    """Return a picture whose size does not depend on its colour."""
    file = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(file, "BMP")
    return file.getvalue()


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path)
    with made.catalogue:
        yield made


@pytest.fixture
def run(room):
    """Train, work until the end, and return the job."""

    def train(path=".", describe=None, **options):
        job = room.train(path, **options)
        room.work(describe)
        return room.job(job)

    return train


@pytest.fixture
def write(room):
    """Write files with a time of an hour ago."""

    def make(files, at=OLD):
        room.write(files)
        for name in files:
            os.utime(room.pictures / name, (at, at))

    return make


def paths(room):
    return sorted(source.path for image in room.images() for source in image.sources)


def by_path(room):
    return {source.path: image for image in room.images() for source in image.sources}


# Files that did not change, and those that did


def test_a_file_that_did_not_change_is_not_even_opened(room, run, write, watch):
    write({"a/1.png": png("red"), "a/2.png": png("green")})
    assert run().unchanged == 0
    seen = watch(room.pictures / "a")
    job = run()
    assert counted(job) == ("completed", 2, 2, 0, 2, 0)
    assert job.unchanged == 2
    assert set(seen.seen()) == {""}  # the folder alone


def test_a_file_that_changed_just_before_it_was_read_is_read_again(room, run):
    room.write({"a.bmp": bmp("red")})
    run()
    stat = (room.pictures / "a.bmp").stat()
    room.write({"a.bmp": bmp("green")})
    os.utime(room.pictures / "a.bmp", ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    assert (room.pictures / "a.bmp").stat().st_size == stat.st_size
    job = run()
    assert (job.indexed, job.unchanged, job.removed) == (1, 0, 1)


def test_a_touched_file_is_read_and_counts_as_known(room, run, write):
    write({"a.png": png("red")})
    run()
    write({"a.png": png("red")}, at=OLD + 60)
    job = run()
    assert (job.duplicates, job.unchanged) == (1, 0)
    assert run().unchanged == 1


def test_a_change_without_a_new_size_or_time_is_found_by_verify_bytes(room, run, write):
    write({"a.bmp": bmp("red")})
    run()
    write({"a.bmp": bmp("green")})
    assert run().unchanged == 1
    job = run(verify_bytes=True)
    assert (job.indexed, job.removed) == (1, 1)


def test_the_image_of_a_changed_file_is_replaced(room, run, write):
    write({"a.png": png("red")})
    run()
    (old,) = room.images()
    write({"a.png": png("green", (30, 10))}, at=OLD + 60)
    job = run()
    (new,) = room.images()
    assert (job.indexed, job.removed) == (1, 1)
    assert new.id != old.id
    assert [source.path for source in new.sources] == ["a.png"]


def test_the_image_of_a_changed_file_stays_if_another_file_has_it(room, run, write):
    write({"a.png": png("red"), "b.png": png("red")})
    run()
    write({"a.png": png("green")}, at=OLD + 60)
    assert run().removed == 0
    assert {path: image.sources for path, image in by_path(room).items()}.keys() == {
        "a.png",
        "b.png",
    }
    assert len(room.images()) == 2


def test_a_file_that_became_unreadable_keeps_its_image(room, run, write):
    write({"a.png": png("red")})
    run()
    write({"a.png": b"half"}, at=OLD + 60)
    assert (run().failed, len(room.images())) == (1, 1)


def test_a_deleted_image_is_indexed_again_from_its_unchanged_file(room, run, write):
    write({"a.png": png("red")})
    run()
    room.catalogue.images.delete_all(room.cats.id)
    assert run().indexed == 1


# Files that are gone


def test_prune_deletes_images_of_deleted_files(room, run, write):
    write({f"{name}.png": png(colour) for name, colour in zip("abc", colours(3), strict=True)})
    run()
    (room.pictures / "b.png").unlink()
    assert (run().removed, len(room.images())) == (0, 3)
    job = run(prune=True)
    assert (counted(job), job.removed) == (("completed", 2, 2, 0, 2, 0), 1)
    assert paths(room) == ["a.png", "c.png"]


def test_an_image_is_pruned_only_with_the_last_of_its_files(room, run, write):
    write(dict.fromkeys(["a.png", "b.png", "c.png"], png("red")))
    run()
    (room.pictures / "a.png").unlink()
    assert (run(prune=True).removed, paths(room)) == (0, ["b.png", "c.png"])


def test_a_moved_file_keeps_its_image(room, run, write):
    write({"a.png": png("red"), "b.png": png("green")})
    run()
    before = {image.id for image in room.images()}
    (room.pictures / "new").mkdir()
    (room.pictures / "a.png").rename(room.pictures / "new" / "z.png")
    describe = Colours()
    assert run(prune=True, describe=describe).removed == 0
    assert {image.id for image in room.images()} == before
    assert paths(room) == ["b.png", "new/z.png"]
    assert describe.calls == 0


def test_only_walked_folders_are_pruned(room, run, write):
    names = ["a/1.png", "a/b/2.png", "a/x.gif", "ab/3.png", "z.png", "a/here.png"]
    write({name: png(colour) for name, colour in zip(names, colours(6), strict=True)})
    run()
    for name in names[:-1]:
        (room.pictures / name).unlink()
    write({"a/b/stays.png": png("white"), "ab/stays.png": png("black")})
    job = run("a", prune=True, recursive=False, ignore=["*.gif"])
    assert job.removed == 1
    assert set(names) - set(paths(room)) == {"a/1.png"}
    run("a", prune=True)
    assert set(names) - set(paths(room)) == {"a/1.png", "a/b/2.png", "a/x.gif"}


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_without_files_removes_nothing(room, run, write, dry_run):
    write({"disk/a.png": png("red"), "b.png": png("green")})
    run()
    (room.pictures / "disk/a.png").unlink()
    job = run("disk", prune=True, dry_run=dry_run)
    assert (job.removed, len(room.images())) == (0, 2)
    assert "not mounted" in job.detail
    job = run(prune=True, dry_run=dry_run)  # the mount point is empty
    assert (job.removed, len(room.images())) == (0, 2)
    assert "1 files" in job.detail


def test_a_folder_that_cannot_be_read_removes_nothing(room, run, write, public_folder, as_nobody):
    room = Room(public_folder)
    room.write({"locked/a.png": png("red"), "b.png": png("green")})
    job = room.train()
    room.work()
    (room.pictures / "locked").chmod(0o000)
    for path in public_folder.rglob("*"):
        if path.name != "locked":
            path.chmod(0o777)
    public_folder.chmod(0o777)
    with as_nobody():
        job = room.train(prune=True)
        room.work()
    (room.pictures / "locked").chmod(0o755)
    assert (room.job(job).removed, len(room.images())) == (0, 2)


def test_a_missing_root_is_refused(room, run, write):
    write({"a.png": png("red")})
    run()
    (room.pictures / "a.png").unlink()
    room.pictures.rmdir()
    with pytest.raises(PathNotFound, match="mount"):
        room.train(prune=True)
    assert len(room.images()) == 1


def stamp(room):
    stat = (room.pictures / "b.png").stat()
    return Stamp(stat.st_size, stat.st_mtime_ns)


def test_pruning_resumes_after_a_restart(room, run, write):
    write({f"{name}.png": png(colour) for name, colour in zip("ab", colours(2), strict=True)})
    run()
    (room.pictures / "a.png").unlink()
    job = room.train(prune=True)
    room.catalogue.jobs.add_files(job.number, [NewFile("b.png", "b.png", stamp=stamp(room))])
    room.catalogue.jobs.finish_walk(job.number)
    assert room.job(job).state.value == "pending"  # as a crash before the last step leaves it
    room.work()
    assert (room.job(job).removed, paths(room)) == (1, ["b.png"])


# Only looking


def test_a_dry_run_counts_and_changes_nothing(room, run, write):
    write({"same.png": png("red"), "gone.png": png("blue"), "changed.png": png("white")})
    run()
    (room.pictures / "gone.png").unlink()
    write(
        {
            "changed.png": png("black", (30, 20)),
            "new.png": png("green"),
            "twice/new.png": png("green"),
            "letter.png": b"Dear all",
            "large.png": png("white", (1000, 101)),
        },
        at=OLD + 60,
    )
    before, revision = room.images(), room.catalogue.collections.named("cats").index.revision
    describe = Colours()
    job = run(dry_run=True, prune=True, describe=describe)
    assert job.dry_run
    assert counted(job) == ("completed", 6, 6, 2, 2, 2)
    assert (job.unchanged, job.removed) == (1, 2)
    failures = room.catalogue.jobs.failures(job.number, after=0, limit=9)
    assert {failure.path: failure.code for failure in failures} == {
        "letter.png": "unsupported_media_type",
        "large.png": "too_large",
    }
    assert room.images() == before
    assert room.catalogue.collections.named("cats").index.revision == revision
    assert describe.calls == 0
    real = run(prune=True)
    assert counted(real) == counted(job)
    assert (real.unchanged, real.removed) == (job.unchanged, job.removed)


def test_a_dry_run_creates_no_collection(room):
    request = TrainRequest(path=".", collection="dogs", dry_run=True)
    with pytest.raises(CollectionNotFound, match="dogs"):
        start_folder_job(room.catalogue, room.roots, Computed((room.cats.space,)), request)


# Manifests


@pytest.fixture
def follow(room):
    """Process a manifest of these lines, and return the job."""

    def work(*lines, name="list.json", **options):
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        room.write({name: text.encode()})
        jobs = room.manifest_jobs()
        job = jobs.start(TrainRequest(manifest=name, collection="cats", **options))
        room.work()
        return room.job(job)

    return work


def failures(room, job):
    return [
        (failure.path, failure.code, failure.detail)
        for failure in room.catalogue.jobs.failures(job.number, after=0, limit=100)
    ]


def test_a_manifest_adds_deletes_and_reports_invalid_lines(room, run, write, follow):
    write({f"shop/{n}.png": png(colour) for n, colour in enumerate(colours(5))})
    run("shop/0.png")
    run("shop/1.png")
    first, second = room.images()
    job = follow(
        {"path": "2.png", "metadata": {"shop": "north"}},
        "{oops",
        {"path": str(room.pictures / "shop/3.png")},
        {"path": "none.png"},
        {"op": "delete", "id": first.id},
        {"op": "delete", "sha256": second.sha256},
        {"op": "delete", "path": "4.png"},
        {"path": "../outside.png"},
        name="shop/list.json",
        metadata={"from": "list"},
    )
    assert counted(job) == ("completed", 6, 6, 2, 0, 4)
    assert (job.removed, job.removals_open) == (2, 0)
    images = by_path(room)
    assert images["shop/2.png"].metadata == {"from": "list", "shop": "north"}
    assert images["shop/3.png"].metadata == {"from": "list"}
    assert sorted(images) == ["shop/2.png", "shop/3.png"]
    reported = failures(room, job)
    assert [(path, code) for path, code, _ in reported] == [
        ("shop/list.json:2", "invalid_argument"),
        ("shop/none.png", "path_not_found"),
        ("shop/4.png", "image_not_found"),
        ("shop/list.json:8", "forbidden"),
    ]
    assert reported[0][2].startswith("line 2: ")
    assert list(room.uploads.blobs.stored()) == []  # its copy was needed only while it was read


def test_an_added_line_replaces_the_metadata_of_an_existing_image(room, run, write, follow):
    write({"a.png": png("red"), "b.png": png("green")})
    run(metadata={"shop": "north", "price": 1})
    job = follow({"path": "a.png", "metadata": {"shop": "south"}}, {"path": "b.png"})
    assert counted(job) == ("completed", 2, 2, 0, 2, 0)
    images = by_path(room)
    assert images["a.png"].metadata == {"shop": "south"}
    assert images["b.png"].metadata == {"shop": "north", "price": 1}


def test_typed_paths_are_found_in_the_spelling_of_the_disk(room, run, write, follow):
    stored, typed = "Mu\u0308ller.png", "M\u00fcller.png"
    write({stored: png("red"), "b.png": png("green")})
    job = follow({"path": typed, "metadata": {"shop": "north"}})
    assert counted(job) == ("completed", 1, 1, 1, 0, 0)
    assert list(by_path(room)) == [stored]
    (room.pictures / stored).unlink()
    job = follow({"op": "delete", "path": typed})
    assert job.removed == 1
    assert by_path(room) == {}


def test_of_two_files_whose_names_look_alike_the_named_one_is_deleted(room, run, write, follow):
    write({"Mu\u0308ller.png": png("red"), "M\u00fcller.png": png("green")})
    run()
    follow({"op": "delete", "path": "M\u00fcller.png"})
    assert list(by_path(room)) == ["Mu\u0308ller.png"]


def test_lines_take_effect_in_their_order(room, write, follow):
    write({"a.png": png("red"), "b.png": png("green"), "c.png": png("blue")})
    follow(
        {"path": "a.png", "metadata": {"turn": 1}},
        {"op": "delete", "path": "a.png"},
        {"path": "b.png"},
        {"path": "c.png", "metadata": {"turn": 1}},
        {"path": "c.png", "metadata": {"turn": 2}},
        {"op": "delete", "path": "b.png"},
        {"path": "b.png", "metadata": {"turn": 3}},
    )
    metadata = {path: image.metadata for path, image in by_path(room).items()}
    assert metadata == {"b.png": {"turn": 3}, "c.png": {"turn": 2}}


def test_a_manifest_resumes_after_a_restart_with_the_same_lines(room, write):
    write({f"{n}.png": png(colour) for n, colour in enumerate(colours(4))})
    lines = [{"path": "0.png"}, {"oops": 1}, {"op": "delete", "path": "1.png"}, {"path": "3.png"}]
    room.write({"l.json": "\n".join(map(json.dumps, lines)).encode()})
    jobs = room.manifest_jobs()
    job = jobs.start(TrainRequest(manifest="l.json", collection="cats"))
    (room.pictures / "l.json").write_text('{"path": "2.png"}')  # read no more
    some = list(room.lists().of(room.job(job)))[:3]
    room.catalogue.jobs.add_files(job.number, some)  # as a crash in the middle leaves it
    room.work()
    assert counted(room.job(job)) == ("completed", 4, 4, 2, 0, 2)
    assert paths(room) == ["0.png", "3.png"]


def test_a_dry_run_of_a_manifest_changes_nothing(room, run, write, follow):
    write({"a.png": png("red"), "b.png": png("green")})
    run("a.png", metadata={"shop": "north"})
    before = room.images()
    lines = [
        {"path": "a.png", "metadata": {"shop": "south"}},
        {"path": "b.png"},
        {"op": "delete", "path": "a.png"},
        {"op": "delete", "id": 99},
    ]
    job = follow(*lines, dry_run=True)
    assert counted(job) == ("completed", 3, 3, 1, 1, 1)
    assert (job.removed, room.images()) == (1, before)


def test_csv_is_a_manifest_too(room, write, follow):
    write({"a.png": png("red")})
    job = follow("path,shop,price", "a.png,north,2.5", "b.png,x", name="list.csv")
    assert (job.indexed, job.failed) == (1, 1)
    assert room.images()[0].metadata == {"shop": "north", "price": 2.5}


def test_paths_of_a_manifest_can_be_relative_to_another_folder(room, write, follow):
    write({"shop/a.png": png("red")})
    assert follow({"path": "a.png"}, name="lists/l.json", path="shop").indexed == 1


def test_paths_of_a_sent_manifest_are_relative_to_the_root(room, write):
    write({"shop/a.png": png("red")})
    jobs = room.manifest_jobs()
    stream = io.BytesIO(b'{"path": "shop/a.png"}')
    job = jobs.start_sent(TrainRequest(collection="cats"), stream, "sent.json")
    room.work()
    assert room.job(job).indexed == 1


def test_an_invalid_manifest_is_refused_at_once(room, follow):
    with pytest.raises(InvalidArgument, match="header"):
        follow("Dear all,")
    with pytest.raises(InvalidArgument, match="prune"):
        follow({"path": "a.png"}, prune=True)
    assert room.catalogue.jobs.open() == []


# Canceled, tried again, and asked for twice


@pytest.fixture
def start(room):
    """Start a job with a manifest of these lines."""

    def make(*lines, claim=None, **options):
        room.write({"l.json": "\n".join(map(json.dumps, lines)).encode()})
        request = TrainRequest(manifest="l.json", collection="cats", **options)
        return room.manifest_jobs().start(request, claim)

    return make


@pytest.fixture
def retry(room):
    """Retry a job, work until the end, and return the new job."""

    def again(job):
        new = retry_job(room.catalogue, room.uploads, Computed((room.cats.space,)), job.id)
        room.work()
        return room.job(new)

    return again


def test_a_retry_of_a_manifest_repeats_failures_but_not_refusals(room, run, write, follow, retry):
    write({"a.png": png("red"), "old.png": png("blue")})
    run("old.png")
    job = follow(
        {"path": "a.png"},
        {"oops": 1},
        {"path": "late.png", "metadata": {"turn": 2}},
        {"op": "delete", "path": "late.png"},
        {"op": "delete", "path": "old.png"},
    )
    assert (counted(job), job.removed) == (("completed", 4, 4, 1, 0, 3), 1)
    write({"late.png": png("green")})
    again = retry(job)
    assert (counted(again), again.removed) == (("completed", 1, 1, 1, 0, 0), 1)
    assert paths(room) == ["a.png"]


def test_a_manifest_with_only_refused_lines_has_nothing_to_retry(follow, retry):
    job = follow({"oops": 1}, {"path": "../b.png"})
    with pytest.raises(Conflict, match="nothing to retry"):
        retry(job)


def test_a_retry_continues_a_manifest_that_was_canceled_during_reading(room, write, start, retry):
    write({f"{n}.png": png(colour) for n, colour in enumerate(colours(3))})
    job = start({"path": "0.png"}, {"oops": 1}, {"path": "1.png"}, {"path": "2.png"})
    (room.pictures / "l.json").unlink()
    some = list(room.lists().of(room.job(job)))[:3]
    room.catalogue.jobs.add_files(job.number, some)
    first, _ = todo(room.catalogue, job)
    room.catalogue.jobs.settle(job, [Outcome(first, code="path_not_found", detail="why")])
    room.catalogue.job_control.cancel(job.id)
    room.uploads.discard(set(room.uploads.blobs.stored()))
    again = retry(job)
    assert counted(again) == ("completed", 3, 3, 3, 0, 0)
    assert paths(room) == ["0.png", "1.png", "2.png"]


def test_an_unfinished_manifest_expires(room, start, retry):
    job = start({"path": "0.png"})
    room.catalogue.job_control.cancel(job.id)
    room.retriable = timedelta(0)
    room.uploads.discard(set(room.uploads.blobs.stored()))
    assert list(room.uploads.blobs.stored()) == []
    with pytest.raises(Conflict, match="have expired"):
        retry(job)


def test_canceling_a_manifest_stops_its_reading(room, start):
    job = start(*({"path": f"{n}.png"} for n in range(3)))
    begun = room.lists().of(room.job(job))
    room.catalogue.jobs.add_files(job.number, [next(begun)])
    room.catalogue.job_control.cancel(job.id)
    assert not room.catalogue.jobs.add_files(job.number, list(begun))
    ended = room.job(job)
    assert (ended.total, ended.walked, ended.state.value) == (1, False, "canceled")


@pytest.fixture
def cancel_pruning(room, write, monkeypatch):
    """A pruning job of a folder with a lost and a kept file, canceled when it looks for the lost.

    So that its folder can be lost too, the root holds something else.
    """
    write({"in/lost.png": png("red"), "in/kept.png": png("green"), "other.png": png("blue")})
    room.train()
    room.work()
    (room.pictures / "in/lost.png").unlink()
    job = room.train("in", prune=True)
    presence = room.roots.presence

    def look(root, path, **was):
        room.catalogue.job_control.cancel(job.id)
        return presence(root, path, **was)

    with monkeypatch.context() as patched:
        patched.setattr(room.roots, "presence", look)
        room.work()
    return room.job(job)


def test_a_canceled_pruning_removes_nothing_more(room, cancel_pruning):
    assert (cancel_pruning.state.value, cancel_pruning.detail) == ("canceled", "canceled")
    assert cancel_pruning.removed == 0
    assert paths(room) == ["in/kept.png", "in/lost.png", "other.png"]


def test_a_retry_of_a_pruning_prunes(room, cancel_pruning, retry):
    again = retry(cancel_pruning)
    assert (again.state.value, again.total, again.removed) == ("completed", 0, 1)
    assert paths(room) == ["in/kept.png", "other.png"]


def test_a_retry_of_a_pruning_deletes_nothing_of_a_lost_folder(room, cancel_pruning, retry):
    (room.pictures / "in/kept.png").unlink()
    assert "no file was found" in retry(cancel_pruning).detail
    (room.pictures / "in").rmdir()
    assert retry(cancel_pruning).state.value == "failed"
    assert paths(room) == ["in/kept.png", "in/lost.png", "other.png"]


def test_a_canceled_dry_run_counts_nothing_more(room, write):
    write({"a.png": png("red")})
    job = room.train(dry_run=True)
    room.catalogue.jobs.add_files(job.number, [NewFile("a.png", "a.png")])
    (file,) = todo(room.catalogue, job)
    room.catalogue.job_control.cancel(job.id)
    room.catalogue.jobs.settle(job, [Outcome(file, checked_sha256="f" * 64)])
    assert counted(room.job(job)) == ("canceled", 1, 0, 0, 0, 0)


def test_a_manifest_with_a_used_key_returns_the_earlier_job(room, start):
    claim = Claim("order 17", "asked")
    job = start({"path": "0.png"}, claim=claim)
    room.work()
    assert start({"path": "1.png"}, claim=claim).id == job.id  # it changed; the call is the same
    with pytest.raises(Conflict, match="order 17"):
        start({"path": "2.png"}, claim=Claim("order 17", "another"))
    assert list(room.uploads.blobs.stored()) == []
    assert room.catalogue.jobs.open() == []


# Another disk or folder in the same place


def read_later(room):
    """Move all read times 10 seconds forward, because file systems' clocks are coarse."""
    with room.catalogue.database.writing() as connection:
        connection.exec_driver_sql("UPDATE sources SET read_ns = read_ns + 10000000000")


@pytest.fixture
def cards(room, run, write, tmp_path):
    """Replace a trained folder by another with other pictures of the same names.

    The second is as old as the first; one picture of the first has no counterpart.
    """
    write({"DCIM/1.bmp": bmp("red"), "DCIM/2.bmp": bmp("green"), "DCIM/3.bmp": bmp("blue")})
    other = tmp_path / "other" / "DCIM"
    other.mkdir(parents=True)
    (other / "1.bmp").write_bytes(bmp("white"))
    (other / "2.bmp").write_bytes(bmp("black"))
    run()
    read_later(room)

    def swap():
        (room.pictures).rename(tmp_path / "between")
        other.parent.rename(room.pictures)
        (tmp_path / "between").rename(other.parent)

    swap()
    return swap


@pytest.mark.parametrize("options", [{}, {"prune": True}])
def test_pictures_of_another_disk_in_the_same_place_are_added(room, run, cards, options):
    job = run(**options)
    assert (job.indexed, job.removed, len(room.images())) == (2, 0, 5)
    assert "other files" in job.detail
    for again in (run(**options), run(verify_bytes=True, **options)):
        assert (again.indexed, again.removed, len(room.images())) == (0, 0, 5)
    cards()
    back = run(**options)
    assert (back.indexed, back.removed, len(room.images())) == (0, 0, 5)


def test_a_dry_run_recognises_another_disk_too(room, run, cards):
    job = run(prune=True, dry_run=True)
    assert (job.indexed, job.removed) == (2, 0)
    assert "other files" in job.detail


def test_files_that_changed_after_reading_count_as_changed(room, run, write):
    write({"a.bmp": bmp("red")})
    run()
    write({"a.bmp": bmp("green")}, at=OLD + 60)  # its bytes seem old, but it was written just now
    job = run()
    assert (job.indexed, job.removed, job.detail) == (1, 1, None)


@pytest.fixture
def volume(room):
    """Mount a file system with an identity, or with an unknown one (`None`)."""

    def mount(name):
        room.roots = ImageRoots([ImageRoot("pictures", room.pictures)], volumes=lambda _: name)

    return mount


def test_another_file_system_is_recognised_by_its_identity(room, run, write, volume):
    volume("A")
    write({"1.bmp": bmp("red"), "2.bmp": bmp("green")})
    run()
    volume("B")
    (room.pictures / "2.bmp").unlink()
    write({"1.bmp": bmp("white")}, at=OLD + 60)
    job = run(prune=True)
    assert (job.indexed, job.removed, len(room.images())) == (1, 0, 3)
    assert "other files" in job.detail
    volume("A")
    assert run(prune=True).removed == 1  # `2.bmp` is gone from its own file system


def test_files_that_were_copied_to_another_file_system_belong_to_it(room, run, write, volume):
    volume(None)
    write({"1.bmp": bmp("red"), "2.bmp": bmp("green"), "3.bmp": bmp("blue")})
    run()
    for name in ("A", None, "B"):
        volume(name)
        assert run().unchanged == 3
    write({"1.bmp": bmp("white")}, at=OLD + 60)
    (room.pictures / "2.bmp").unlink()
    assert run(prune=True).removed == 2


def test_a_file_is_not_pruned_from_a_folder_that_never_had_it(room, run, write, tmp_path):
    write({"DCIM/1.png": png("red")})
    (tmp_path / "other" / "DCIM").mkdir(parents=True)
    (tmp_path / "other" / "DCIM" / "7.png").write_bytes(png("blue"))
    run()
    read_later(room)
    room.pictures.rename(tmp_path / "away")
    (tmp_path / "other").rename(room.pictures)
    job = run(prune=True)
    assert (job.indexed, job.removed, len(room.images())) == (1, 0, 2)
    assert "1 files" in job.detail
    (room.pictures / "DCIM" / "1.png").write_bytes(b"")
    (room.pictures / "DCIM" / "1.png").unlink()  # now it is
    read_later(room)
    with room.catalogue.database.writing() as connection:
        connection.exec_driver_sql("UPDATE sources SET read_ns = read_ns - 20000000000")
    assert run(prune=True).removed == 1
