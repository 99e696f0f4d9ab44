"""Jobs of changed, deleted and moved files, with real files and a real worker."""

import os

import pytest

from bento_service.catalogue.jobs.records import NewFile, Stamp
from bento_service.catalogue.records import Computed
from bento_service.errors import CollectionNotFound, PathNotFound
from bento_service.ingest.starting.folder_jobs import start_folder_job
from bento_service.requests import TrainRequest
from tests.ingest.changes.parts import OLD, bmp, by_path, paths
from tests.support.ingesting import ColourEmbedder, Ingest, colours, counted
from tests.support.pictures import png

# Unchanged and changed files


def test_a_file_that_did_not_change_is_not_even_opened(ingest, run, write, watch):
    write({"a/1.png": png("red"), "a/2.png": png("green")})
    assert run().unchanged == 0
    seen = watch(ingest.pictures / "a")
    job = run()
    assert counted(job) == ("completed", 2, 2, 0, 2, 0)
    assert job.unchanged == 2
    assert set(seen.seen()) == {""}  # the folder alone


def test_a_file_that_changed_just_before_it_was_read_is_read_again(ingest, run):
    ingest.write({"a.bmp": bmp("red")})
    run()
    stat = (ingest.pictures / "a.bmp").stat()
    ingest.write({"a.bmp": bmp("green")})
    os.utime(ingest.pictures / "a.bmp", ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    assert (ingest.pictures / "a.bmp").stat().st_size == stat.st_size
    job = run()
    assert (job.indexed, job.unchanged, job.removed) == (1, 0, 1)


def test_a_touched_file_is_read_and_counts_as_known(ingest, run, write):
    write({"a.png": png("red")})
    run()
    write({"a.png": png("red")}, at=OLD + 60)
    job = run()
    assert (job.duplicates, job.unchanged) == (1, 0)
    assert run().unchanged == 1


def test_a_change_without_a_new_size_or_time_is_found_by_verify_bytes(ingest, run, write):
    write({"a.bmp": bmp("red")})
    run()
    write({"a.bmp": bmp("green")})
    assert run().unchanged == 1
    job = run(verify_bytes=True)
    assert (job.indexed, job.removed) == (1, 1)


def test_the_image_of_a_changed_file_is_replaced(ingest, run, write):
    write({"a.png": png("red")})
    run()
    (old,) = ingest.images()
    write({"a.png": png("green", (30, 10))}, at=OLD + 60)
    job = run()
    (new,) = ingest.images()
    assert (job.indexed, job.removed) == (1, 1)
    assert new.id != old.id
    assert [source.path for source in new.sources] == ["a.png"]


def test_the_image_of_a_changed_file_stays_if_another_file_has_it(ingest, run, write):
    write({"a.png": png("red"), "b.png": png("red")})
    run()
    write({"a.png": png("green")}, at=OLD + 60)
    assert run().removed == 0
    assert {path: image.sources for path, image in by_path(ingest).items()}.keys() == {
        "a.png",
        "b.png",
    }
    assert len(ingest.images()) == 2


def test_a_file_that_became_unreadable_keeps_its_image(ingest, run, write):
    write({"a.png": png("red")})
    run()
    write({"a.png": b"half"}, at=OLD + 60)
    assert (run().failed, len(ingest.images())) == (1, 1)


def test_a_deleted_image_is_indexed_again_from_its_unchanged_file(ingest, run, write):
    write({"a.png": png("red")})
    run()
    ingest.catalogue.images.delete_all(ingest.cats.id)
    assert run().indexed == 1


# Deleted files


def test_prune_deletes_images_of_deleted_files(ingest, run, write):
    write({f"{name}.png": png(colour) for name, colour in zip("abc", colours(3), strict=True)})
    run()
    (ingest.pictures / "b.png").unlink()
    assert (run().removed, len(ingest.images())) == (0, 3)
    job = run(prune=True)
    assert (counted(job), job.removed) == (("completed", 2, 2, 0, 2, 0), 1)
    assert paths(ingest) == ["a.png", "c.png"]


def test_an_image_is_pruned_only_with_the_last_of_its_files(ingest, run, write):
    write(dict.fromkeys(["a.png", "b.png", "c.png"], png("red")))
    run()
    (ingest.pictures / "a.png").unlink()
    assert (run(prune=True).removed, paths(ingest)) == (0, ["b.png", "c.png"])


def test_a_moved_file_keeps_its_image(ingest, run, write):
    write({"a.png": png("red"), "b.png": png("green")})
    run()
    before = {image.id for image in ingest.images()}
    (ingest.pictures / "new").mkdir()
    (ingest.pictures / "a.png").rename(ingest.pictures / "new" / "z.png")
    describe = ColourEmbedder()
    assert run(prune=True, describe=describe).removed == 0
    assert {image.id for image in ingest.images()} == before
    assert paths(ingest) == ["b.png", "new/z.png"]
    assert describe.calls == 0


def test_only_walked_folders_are_pruned(ingest, run, write):
    names = ["a/1.png", "a/b/2.png", "a/x.gif", "ab/3.png", "z.png", "a/here.png"]
    write({name: png(colour) for name, colour in zip(names, colours(6), strict=True)})
    run()
    for name in names[:-1]:
        (ingest.pictures / name).unlink()
    write({"a/b/stays.png": png("white"), "ab/stays.png": png("black")})
    job = run("a", prune=True, recursive=False, ignore=["*.gif"])
    assert job.removed == 1
    assert set(names) - set(paths(ingest)) == {"a/1.png"}
    run("a", prune=True)
    assert set(names) - set(paths(ingest)) == {"a/1.png", "a/b/2.png", "a/x.gif"}


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_without_files_removes_nothing(ingest, run, write, dry_run):
    write({"disk/a.png": png("red"), "b.png": png("green")})
    run()
    (ingest.pictures / "disk/a.png").unlink()
    job = run("disk", prune=True, dry_run=dry_run)
    assert (job.removed, len(ingest.images())) == (0, 2)
    assert "not mounted" in job.detail
    job = run(prune=True, dry_run=dry_run)  # the mount point is empty
    assert (job.removed, len(ingest.images())) == (0, 2)
    assert "1 files" in job.detail


def test_a_folder_that_cannot_be_read_removes_nothing(ingest, run, write, public_folder, as_nobody):
    ingest = Ingest(public_folder)
    ingest.write({"locked/a.png": png("red"), "b.png": png("green")})
    job = ingest.train()
    ingest.work()
    (ingest.pictures / "locked").chmod(0o000)
    for path in public_folder.rglob("*"):
        if path.name != "locked":
            path.chmod(0o777)
    public_folder.chmod(0o777)
    with as_nobody():
        job = ingest.train(prune=True)
        ingest.work()
    (ingest.pictures / "locked").chmod(0o755)
    assert (ingest.job(job).removed, len(ingest.images())) == (0, 2)


def test_a_missing_root_is_refused(ingest, run, write):
    write({"a.png": png("red")})
    run()
    (ingest.pictures / "a.png").unlink()
    ingest.pictures.rmdir()
    with pytest.raises(PathNotFound, match="mount"):
        ingest.train(prune=True)
    assert len(ingest.images()) == 1


def stamp(ingest):
    stat = (ingest.pictures / "b.png").stat()
    return Stamp(stat.st_size, stat.st_mtime_ns)


def test_pruning_resumes_after_a_restart(ingest, run, write):
    write({f"{name}.png": png(colour) for name, colour in zip("ab", colours(2), strict=True)})
    run()
    (ingest.pictures / "a.png").unlink()
    job = ingest.train(prune=True)
    ingest.catalogue.jobs.add_files(job.number, [NewFile("b.png", "b.png", stamp=stamp(ingest))])
    ingest.catalogue.jobs.finish_walk(job.number)
    assert ingest.job(job).state.value == "pending"  # as a crash before the last step leaves it
    ingest.work()
    assert (ingest.job(job).removed, paths(ingest)) == (1, ["b.png"])


# Dry runs


def test_a_dry_run_counts_and_changes_nothing(ingest, run, write):
    write({"same.png": png("red"), "gone.png": png("blue"), "changed.png": png("white")})
    run()
    (ingest.pictures / "gone.png").unlink()
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
    before, revision = ingest.images(), ingest.catalogue.collections.named("cats").index.revision
    describe = ColourEmbedder()
    job = run(dry_run=True, prune=True, describe=describe)
    assert job.dry_run
    assert counted(job) == ("completed", 6, 6, 2, 2, 2)
    assert (job.unchanged, job.removed) == (1, 2)
    failures = ingest.catalogue.jobs.failures(job.number, after=0, limit=9)
    assert {failure.path: failure.code for failure in failures} == {
        "letter.png": "unsupported_media_type",
        "large.png": "too_large",
    }
    assert ingest.images() == before
    assert ingest.catalogue.collections.named("cats").index.revision == revision
    assert describe.calls == 0
    real = run(prune=True)
    assert counted(real) == counted(job)
    assert (real.unchanged, real.removed) == (job.unchanged, job.removed)


def test_a_dry_run_creates_no_collection(ingest):
    request = TrainRequest(path=".", collection="dogs", dry_run=True)
    with pytest.raises(CollectionNotFound, match="dogs"):
        start_folder_job(ingest.catalogue, ingest.roots, Computed((ingest.cats.space,)), request)
