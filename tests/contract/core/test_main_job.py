"""Train, process, count, search and delete, by the client, over the real service."""

import base64
import io
import math
import shutil
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from client_sdk import CollectionNotFound, Forbidden, ImageNotFound, InvalidArgument, PathNotFound
from client_sdk.schemas import JobState
from tests.support.waiting import wait_until


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


def test_hits_are_sorted_and_their_distance_belongs_to_their_score(client, gallery, photographs):
    hits = client.search(photographs / "rocket.jpg", collection=gallery).hits

    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    for hit in hits:
        assert hit.distance == pytest.approx(math.sqrt(max(0, 2 - 2 * hit.score)), abs=1e-3)


def test_numbers_have_six_decimals_for_scores_and_four_for_distances_and_times(
    client, gallery, photographs
):
    answer = client.search(photographs / "rocket.jpg", collection=gallery)

    assert [hit.score for hit in answer.hits] == [round(hit.score, 6) for hit in answer.hits]
    assert [hit.distance for hit in answer.hits] == [round(hit.distance, 4) for hit in answer.hits]
    for milliseconds in answer.took_ms.model_dump().values():
        assert milliseconds == round(milliseconds, 4)
    speed = next(iter(client.jobs(collection=gallery))).images_per_second
    assert speed is None or speed == round(speed, 4)  # the fake measures none


def test_pages_of_a_search_are_slices_of_the_whole(client, gallery, photographs):
    whole = client.search(photographs / "coins.jpg", collection=gallery, top_k=6).hits

    page = client.search(photographs / "coins.jpg", collection=gallery, top_k=2, offset=2).hits

    assert [(hit.rank, hit.image_id) for hit in page] == [
        (hit.rank, hit.image_id) for hit in whole[2:4]
    ]
    assert [hit.score for hit in page] == pytest.approx([hit.score for hit in whole[2:4]])


def test_min_score_leaves_out_what_is_worse(client, gallery, photographs):
    hits = client.search(photographs / "coins.jpg", collection=gallery, min_score=0.99).hits

    assert [hit.name for hit in hits] == ["coins.jpg"]


def test_a_stored_image_can_be_the_query(client, gallery):
    some = next(client.images(collection=gallery))

    hits = client.search(some.id, collection=gallery, top_k=2).hits

    assert hits[0].image_id == some.id
    assert hits[0].score == pytest.approx(1, abs=1e-5)


def test_a_picture_can_be_sent_as_json(http, client, gallery, photographs):
    picture = (photographs / "coffee.jpg").read_bytes()
    body = {"image": base64.b64encode(picture).decode(), "collection": gallery, "top_k": 3}

    answer = http.post("/api/v2/search", json=body | {"explain": True}).json()

    expected = client.search(picture, collection=gallery, top_k=3)
    assert [hit["image_id"] for hit in answer["hits"]] == [hit.image_id for hit in expected.hits]
    assert answer["explanation"]["index_type"] == "FLAT"
    assert answer["took_ms"]["total"] >= answer["took_ms"]["describe"] > 0


def test_a_region_searches_with_that_part_of_the_picture(client, gallery, photographs):
    with (
        Image.open(photographs / "chelsea.jpg") as cat,
        Image.open(photographs / "coffee.jpg") as cup,
    ):
        both = Image.new("RGB", (cat.width + cup.width, max(cat.height, cup.height)))
        both.paste(cat)
        both.paste(cup, (cat.width, 0))
        region = (cat.width, 0, cup.width, cup.height)
    encoded = io.BytesIO()
    both.save(encoded, "PNG")

    best = client.search(encoded.getvalue(), collection=gallery, region=region).hits[0]

    assert best.name == "coffee.jpg"
    assert best.score > 0.99


def test_deleted_images_are_gone_from_count_search_and_content_at_once(
    client, collection, photographs
):
    client.upload(sorted(photographs.iterdir()), collection=collection).wait()
    found = client.search(photographs / "ihc.jpg", collection=collection).hits[0]

    assert client.delete([found.image_id], collection=collection) == 1

    hits = client.search(photographs / "ihc.jpg", collection=collection).hits
    assert found.image_id not in [hit.image_id for hit in hits]
    assert client.count(collection=collection) == 5
    with pytest.raises(ImageNotFound):
        found.content()


def test_deleting_everything_leaves_nothing_and_other_collections_alone(
    client, collection, gallery, photographs
):
    client.upload([photographs / "coins.jpg"], collection=collection).wait()

    assert client.delete(all=True, collection=collection) == 1

    assert client.count(collection=collection) == 0
    assert client.search(photographs / "coins.jpg", collection=collection).hits == ()
    assert client.count(collection=gallery) == 6


def test_a_deleted_image_can_be_indexed_again(client, collection, photographs):
    client.upload([photographs / "coins.jpg"], collection=collection).wait()
    client.delete(all=True, collection=collection)

    job = client.upload([photographs / "coins.jpg"], collection=collection).wait()

    assert job.indexed == 1
    assert client.search(photographs / "coins.jpg", collection=collection).hits[0].score > 0.999


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


def test_content_and_thumbnail_are_the_picture(client, gallery, photographs):
    image = next(image for image in client.images(collection=gallery) if "chel" in image.name)

    assert image.content() == (photographs / "chelsea.jpg").read_bytes()
    with Image.open(io.BytesIO(image.thumbnail(size=64))) as small:
        assert small.format == "WEBP"
        assert max(small.size) == 64


def test_an_original_that_was_changed_is_not_served(client, collection, folder, photographs):
    shutil.copy(photographs / "coins.jpg", folder / "shown.jpg")
    client.train(folder, collection=collection).wait()
    shutil.copy(photographs / "rocket.jpg", folder / "shown.jpg")
    (image,) = client.images(collection=collection)

    with pytest.raises(ImageNotFound, match="changed since it was indexed"):
        image.content()


def test_images_are_listed_in_pages_and_by_prefix(client, collection, folder, photographs):
    shutil.copytree(photographs, folder / "a")
    shutil.copy(photographs / "coins.jpg", folder / "b.jpg")
    client.train(folder, collection=collection).wait()

    names = [image.name for image in client.images(collection=collection, page_size=2)]

    assert sorted(names) == sorted(path.name for path in photographs.iterdir())
    prefix = f"{folder.name}/b"
    (image,) = client.images(collection=collection, prefix=prefix)
    assert image.name == "coins.jpg"


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


def test_metadata_travels_from_the_train_call_to_the_hits(client, collection, photographs, http):
    metadata = {"shop": "north", "price": 3.5, "tags": ["a", "b"]}
    client.upload([photographs / "coins.jpg"], collection=collection, metadata=metadata).wait()

    hit = client.search(photographs / "coins.jpg", collection=collection).hits[0]
    assert hit.metadata == metadata

    answer = http.patch(f"/api/v2/images/{hit.image_id}", json={"metadata": {"shop": "south"}})
    assert answer.json()["metadata"] == {"shop": "south"}
    assert client.image(hit.image_id).metadata == {"shop": "south"}


def test_collections_are_made_listed_and_removed(client, photographs):
    client.create_collection("hats")
    client.upload([photographs / "coins.jpg"], collection="hats").wait()
    (hats,) = [each for each in client.collections() if each.name == "hats"]
    info = client.info()
    assert (hats.count, hats.dimension, hats.descriptor, hats.fingerprint, hats.model) == (
        *(1, info.dimension, info.descriptor),
        *(info.fingerprint, info.model),
    )

    client.collection("hats").delete()

    with pytest.raises(CollectionNotFound):
        client.count(collection="hats")
    with pytest.raises(InvalidArgument):
        client.create_collection("no/such name")


def test_a_scratch_collection_goes_by_itself_with_its_uploads(client, backend, photographs):
    name = f"scratch-{uuid4().hex[:8]}"
    before = backend.stored()
    other = io.BytesIO()
    with Image.open(photographs / "coins.jpg") as photograph:
        photograph.rotate(90).save(other, "PNG")
    made = client.create_collection(name, ttl_seconds=4)  # until the upload, and again after it
    assert made.created_at + timedelta(seconds=4) == made.expires_at
    client.upload([other.getvalue()], collection=name).wait()
    uploaded = backend.stored() - before
    assert len(uploaded) == (backend.data is not None)

    wait_until(lambda: name not in {one.name for one in client.collections()}, pause=0.1)
    wait_until(lambda: not uploaded & backend.stored(), pause=0.1)

    with pytest.raises(CollectionNotFound):
        client.count(collection=name)


def test_a_transparent_picture_is_described_as_if_on_white(client, collection, photographs):
    with Image.open(photographs / "coffee.jpg") as photograph:
        pixels = np.asarray(photograph.convert("RGBA")).copy()
    pixels[:, :80] = (255, 0, 0, 0)  # red, but invisible
    on_white = pixels[..., :3].copy()
    on_white[:, :80] = 255
    see_through, flat = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels).save(see_through, "PNG")
    Image.fromarray(on_white).save(flat, "PNG")
    client.upload([("a.png", flat.getvalue())], collection=collection).wait()

    hit = client.search(see_through.getvalue(), collection=collection).hits[0]

    assert hit.score > 0.9999
