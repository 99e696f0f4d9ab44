"""Comparing two pictures and finding duplicates, the same over every service."""

import io
from uuid import uuid4

import pytest
from PIL import Image

from client_sdk import (
    CollectionNotFound,
    ImageNotFound,
    InvalidArgument,
    UnsupportedMediaType,
    Verdict,
)


def again(path):
    """Return the same pixels in other bytes."""
    file = io.BytesIO()
    with Image.open(path) as picture:
        picture.save(file, "PNG")
    return file.getvalue()


def test_a_picture_and_its_own_bytes_are_duplicates(client, photographs):
    found = client.compare(photographs / "coffee.jpg", (photographs / "coffee.jpg").read_bytes())
    assert (found.verdict, found.evidence.same_bytes) == (Verdict.DUPLICATE, True)
    assert found.score == pytest.approx(1.0, abs=1e-6)
    assert found.evidence.reasons


def test_the_same_pixels_are_duplicates_and_other_pictures_only_similar(client, photographs):
    same = client.compare(photographs / "coffee.jpg", again(photographs / "coffee.jpg"))
    other = client.compare(photographs / "coffee.jpg", photographs / "rocket.jpg")
    assert (same.verdict, same.evidence.same_bytes) == (Verdict.DUPLICATE, False)
    assert other.verdict is Verdict.SIMILAR
    assert other.score < other.evidence.lines.near_duplicate <= same.score


def test_stored_and_sent_pictures_say_the_same(client, gallery, photographs):
    ids = {image.name: image.id for image in client.images(collection=gallery)}
    sent = photographs / "chelsea.jpg", photographs / "astronaut.jpg"
    stored = ids["chelsea.jpg"], ids["astronaut.jpg"]
    first = client.compare(*sent, collection=gallery)
    for pair in (stored, (sent[0], stored[1]), (stored[0], sent[1])):
        found = client.compare(*pair, collection=gallery)
        assert found.score == pytest.approx(first.score, abs=1e-5)
        assert (found.verdict, found.collection) == (first.verdict, gallery)


def test_a_subject_that_cannot_be_compared_is_rejected(client, photographs):
    whole = (photographs / "coffee.jpg").read_bytes()
    with pytest.raises(UnsupportedMediaType):
        client.compare(whole, b"no picture")
    with pytest.raises(ImageNotFound):
        client.compare(10**12, whole)
    with pytest.raises(CollectionNotFound):
        client.compare(whole, whole, collection="nobody-made-it")
    with pytest.raises(CollectionNotFound):
        list(client.duplicates(collection="nobody-made-it"))
    with pytest.raises(InvalidArgument, match="min_score"):
        list(client.duplicates(min_score=2.0))


def test_copies_are_grouped_page_by_page(client, photographs):
    name = f"copies-{uuid4().hex[:8]}"
    client.create_collection(name)
    assert list(client.duplicates(collection=name)) == []
    client.upload(sorted(photographs.iterdir()), collection=name).wait()
    copies = [(f"{one}-again.png", again(photographs / f"{one}.jpg")) for one in ("coffee", "ihc")]
    client.upload(copies, collection=name).wait()

    groups = list(client.duplicates(collection=name, page_size=1))

    names = [[image.name for image in group.images] for group in groups]
    assert names == [["coffee.jpg", "coffee-again.png"], ["ihc.jpg", "ihc-again.png"]]
    for group in groups:
        first, copy = group.images
        assert (group.verdict, group.is_whole, first.like) == (Verdict.DUPLICATE, True, None)
        assert (copy.like.image_id, copy.like.verdict) == (first.id, Verdict.DUPLICATE)
    client.collection(name).delete()
