"""Indexing of folders and uploads, and the counts and failures of its jobs."""

import io
import shutil

import pytest
from PIL import Image

from client_sdk import Forbidden, PathNotFound
from client_sdk.schemas import JobState


def _edited(path, quality=40):
    encoded = io.BytesIO()
    with Image.open(path) as image:
        image.resize((image.width // 2, image.height // 2)).save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()


def test_a_folder_is_indexed_and_every_photograph_finds_itself_first(
    client, collection, folder, photographs
):
    shutil.copytree(photographs, folder / "deep" / "er")

    job = client.train(folder, collection=collection).wait()

    assert (job.state, job.total, job.indexed, job.failed) == (JobState.COMPLETED, 6, 6, 0)
    assert job.source == f"pictures/{folder.name}"
    assert client.count(collection=collection) == 6
    for path in photographs.iterdir():
        best = client.search(path, collection=collection, top_k=1).hits[0]
        assert best.name == path.name
        assert best.score > 0.999


def test_uploads_are_indexed_and_an_edited_copy_finds_its_original(client, collection, photographs):
    client.upload(sorted(photographs.iterdir()), collection=collection).wait()

    hits = client.search(_edited(photographs / "coffee.jpg"), collection=collection).hits

    assert hits[0].name == "coffee.jpg"
    assert hits[0].score > hits[1].score + 0.1
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5, 6]


def test_one_bad_file_is_one_failed_row_with_its_reason(client, collection, folder, photographs):
    shutil.copy(photographs / "astronaut.jpg", folder / "good.JPG")
    (folder / "notes.jpg").write_text("not a picture")
    (folder / "cut.jpg").write_bytes((photographs / "coffee.jpg").read_bytes()[:2000])
    (folder / "empty.png").touch()

    job = client.train(folder, collection=collection).wait()

    assert (job.state, job.indexed, job.failed, job.done) == (JobState.COMPLETED, 1, 3, 4)
    codes = {error.source.rsplit("/")[-1]: error.code for error in job.errors}
    assert codes == {
        "notes.jpg": "unsupported_media_type",
        "cut.jpg": "image_unreadable",
        "empty.png": "unsupported_media_type",
    }
    assert tuple(job.all_errors()) == job.errors


def test_the_same_bytes_twice_are_one_image_with_two_sources(
    client, collection, folder, photographs
):
    shutil.copy(photographs / "rocket.jpg", folder / "one.jpg")
    shutil.copy(photographs / "rocket.jpg", folder / "two.jpg")

    job = client.train(folder, collection=collection).wait()

    assert (job.indexed, job.duplicates) == (1, 1)
    (image,) = client.images(collection=collection)
    assert {source.path.rsplit("/")[-1] for source in image.sources} == {"one.jpg", "two.jpg"}


def test_every_format_is_read_by_content_whatever_its_name(client, collection, folder, photographs):
    with Image.open(photographs / "chelsea.jpg") as photograph:
        for format_ in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
            photograph.save(folder / f"{format_.lower()} ünï.dat", format_)

    job = client.train(folder, collection=collection).wait()

    assert (job.indexed, job.failed) == (7, 0)
    images = {image.format: image for image in client.images(collection=collection)}
    assert set(images) == {"JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"}
    hits = client.search(photographs / "chelsea.jpg", collection=collection).hits
    assert min(hit.score for hit in hits) > 0.95


def test_a_name_that_is_not_utf8_is_indexed_and_served(client, collection, folder, photographs):
    shutil.copy(photographs / "coins.jpg", bytes(folder) + b"/caf\xe9.jpg")

    job = client.train(folder, collection=collection).wait()

    assert job.indexed == 1
    (image,) = client.images(collection=collection)
    assert image.name == "caf\ufffd.jpg"
    assert image.content() == (photographs / "coins.jpg").read_bytes()


def test_process_tells_the_newest_job_and_any_other_by_id(client, collection, photographs):
    first = client.upload([photographs / "coins.jpg"], collection=collection).wait()
    second = client.upload([photographs / "rocket.jpg"], collection=collection).wait()

    assert client.job().id == second.id
    assert second.source == "upload"
    assert client.job(first.id) == first
    assert [job.id for job, _ in zip(client.jobs(), range(2), strict=False)] == [
        second.id,
        first.id,
    ]


def test_ignored_and_nested_files_are_left_out_when_asked(client, collection, folder, photographs):
    (folder / "drafts").mkdir()
    shutil.copy(photographs / "coins.jpg", folder / "drafts" / "coins.jpg")
    shutil.copy(photographs / "rocket.jpg", folder / "rocket.gif")
    shutil.copy(photographs / "ihc.jpg", folder / "ihc.jpg")

    ignoring = client.train(folder, collection=collection, ignore=["drafts/*", "*.gif"]).wait()
    flat = client.train(folder, collection=collection, recursive=False).wait()

    assert ignoring.total == 1
    assert (flat.total, flat.indexed, flat.duplicates) == (2, 1, 1)


def test_paths_outside_of_the_roots_are_refused_alike(client, folder):
    (folder / "link").symlink_to("/etc")
    for path in ("/etc/passwd", "/does/not/exist", "../..", str(folder / "link")):
        with pytest.raises(Forbidden):
            client.train(path)
    with pytest.raises(PathNotFound):
        client.train(folder / "missing")


def test_an_empty_folder_is_a_completed_job_with_nothing(client, collection, folder):
    job = client.train(folder, collection=collection).wait()

    assert (job.state, job.total, job.done) == (JobState.COMPLETED, 0, 0)
