"""Jobs after another disk or folder was mounted in the same place."""

import pytest

from bento_service.settings import ImageRoot
from bento_service.storage.image_roots import ImageRoots
from tests.ingest.changes.parts import OLD, bmp
from tests.support.pictures import png


def read_later(ingest):
    """Move all read times 10 seconds forward, because file systems' clocks are coarse."""
    with ingest.catalogue.database.writing() as connection:
        connection.exec_driver_sql("UPDATE sources SET read_ns = read_ns + 10000000000")


@pytest.fixture
def cards(ingest, run, write, tmp_path):
    """Replace a trained folder by another with other pictures of the same names.

    The second is as old as the first; one picture of the first has no counterpart.
    """
    write({"DCIM/1.bmp": bmp("red"), "DCIM/2.bmp": bmp("green"), "DCIM/3.bmp": bmp("blue")})
    other = tmp_path / "other" / "DCIM"
    other.mkdir(parents=True)
    (other / "1.bmp").write_bytes(bmp("white"))
    (other / "2.bmp").write_bytes(bmp("black"))
    run()
    read_later(ingest)

    def swap():
        (ingest.pictures).rename(tmp_path / "between")
        other.parent.rename(ingest.pictures)
        (tmp_path / "between").rename(other.parent)

    swap()
    return swap


@pytest.mark.parametrize("options", [{}, {"prune": True}])
def test_pictures_of_another_disk_in_the_same_place_are_added(ingest, run, cards, options):
    job = run(**options)
    assert (job.indexed, job.removed, len(ingest.images())) == (2, 0, 5)
    assert "other files" in job.detail
    for again in (run(**options), run(verify_bytes=True, **options)):
        assert (again.indexed, again.removed, len(ingest.images())) == (0, 0, 5)
    cards()
    back = run(**options)
    assert (back.indexed, back.removed, len(ingest.images())) == (0, 0, 5)


def test_a_dry_run_recognises_another_disk_too(ingest, run, cards):
    job = run(prune=True, dry_run=True)
    assert (job.indexed, job.removed) == (2, 0)
    assert "other files" in job.detail


def test_files_that_changed_after_reading_count_as_changed(ingest, run, write):
    write({"a.bmp": bmp("red")})
    run()
    write({"a.bmp": bmp("green")}, at=OLD + 60)  # its bytes seem old, but it was written just now
    job = run()
    assert (job.indexed, job.removed, job.detail) == (1, 1, None)


@pytest.fixture
def volume(ingest):
    """Mount a file system with an identity, or with an unknown one (`None`)."""

    def mount(name):
        ingest.roots = ImageRoots([ImageRoot("pictures", ingest.pictures)], volumes=lambda _: name)

    return mount


def test_another_file_system_is_recognised_by_its_identity(ingest, run, write, volume):
    volume("A")
    write({"1.bmp": bmp("red"), "2.bmp": bmp("green")})
    run()
    volume("B")
    (ingest.pictures / "2.bmp").unlink()
    write({"1.bmp": bmp("white")}, at=OLD + 60)
    job = run(prune=True)
    assert (job.indexed, job.removed, len(ingest.images())) == (1, 0, 3)
    assert "other files" in job.detail
    volume("A")
    assert run(prune=True).removed == 1  # `2.bmp` is gone from its own file system


def test_files_that_were_copied_to_another_file_system_belong_to_it(ingest, run, write, volume):
    volume(None)
    write({"1.bmp": bmp("red"), "2.bmp": bmp("green"), "3.bmp": bmp("blue")})
    run()
    for name in ("A", None, "B"):
        volume(name)
        assert run().unchanged == 3
    write({"1.bmp": bmp("white")}, at=OLD + 60)
    (ingest.pictures / "2.bmp").unlink()
    assert run(prune=True).removed == 2


def test_a_file_is_not_pruned_from_a_folder_that_never_had_it(ingest, run, write, tmp_path):
    write({"DCIM/1.png": png("red")})
    (tmp_path / "other" / "DCIM").mkdir(parents=True)
    (tmp_path / "other" / "DCIM" / "7.png").write_bytes(png("blue"))
    run()
    read_later(ingest)
    ingest.pictures.rename(tmp_path / "away")
    (tmp_path / "other").rename(ingest.pictures)
    job = run(prune=True)
    assert (job.indexed, job.removed, len(ingest.images())) == (1, 0, 2)
    assert "1 files" in job.detail
    (ingest.pictures / "DCIM" / "1.png").write_bytes(b"")
    (ingest.pictures / "DCIM" / "1.png").unlink()  # now it is
    read_later(ingest)
    with ingest.catalogue.database.writing() as connection:
        connection.exec_driver_sql("UPDATE sources SET read_ns = read_ns - 20000000000")
    assert run(prune=True).removed == 1
