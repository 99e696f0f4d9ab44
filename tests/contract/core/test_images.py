"""Stored images: their content, list and metadata, and their deletion."""

import io
import shutil

import pytest
from PIL import Image

from client_sdk import ImageNotFound


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


def test_metadata_travels_from_the_train_call_to_the_hits(client, collection, photographs, http):
    metadata = {"shop": "north", "price": 3.5, "tags": ["a", "b"]}
    client.upload([photographs / "coins.jpg"], collection=collection, metadata=metadata).wait()

    hit = client.search(photographs / "coins.jpg", collection=collection).hits[0]
    assert hit.metadata == metadata

    answer = http.patch(f"/api/v2/images/{hit.image_id}", json={"metadata": {"shop": "south"}})
    assert answer.json()["metadata"] == {"shop": "south"}
    assert client.image(hit.image_id).metadata == {"shop": "south"}


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
