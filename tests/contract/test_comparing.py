"""Comparing two pictures and finding duplicates, by the client over the real service."""

import asyncio
import io

import pytest
from PIL import Image, ImageOps

from client_sdk import (
    AsyncClient,
    CollectionNotFound,
    ImageNotFound,
    ImageUnreadable,
    InvalidArgument,
    Orientation,
    TooLarge,
    UnsupportedMediaType,
    Verdict,
)
from tests.support.bombs import flat

MIRRORED = Image.Transpose.FLIP_LEFT_RIGHT


def saved(picture, quality=80):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.fixture(scope="module")
def edited(photographs):
    """Ways in which a photograph comes back, by what was done to it."""

    def make(name):
        picture = Image.open(photographs / f"{name}.jpg")
        return {
            "saved": saved(picture, 40),
            "mirrored": saved(picture.transpose(MIRRORED)),
            "turned": saved(picture.transpose(Image.Transpose.ROTATE_90)),
            "framed": saved(ImageOps.expand(picture, 24, (255, 255, 255))),
        }

    return make


def test_a_picture_and_its_own_bytes_are_duplicates(client, photographs):
    found = client.compare(photographs / "coffee.jpg", (photographs / "coffee.jpg").read_bytes())
    assert (found.verdict, found.evidence.same_bytes) == (Verdict.DUPLICATE, True)
    assert (found.score, found.distance) == (1.0, 0.0)
    assert found.evidence.reasons[0] == "same bytes"
    assert (found.evidence.hash_distance, found.evidence.hash_bits) == (0, 64)


@pytest.mark.parametrize(
    ("edit", "orientation"),
    [
        ("saved", Orientation.UPRIGHT),
        ("mirrored", Orientation.MIRRORED),
        ("turned", Orientation.TURNED_90),
        ("framed", Orientation.UPRIGHT),
    ],
)
def test_a_copy_is_a_duplicate_and_it_is_said_why(client, photographs, edited, edit, orientation):
    found = client.compare(photographs / "coffee.jpg", edited("coffee")[edit])
    assert (found.verdict, found.evidence.same_bytes) == (Verdict.DUPLICATE, False)
    assert found.evidence.hash_distance <= found.evidence.lines.hash_distance
    assert found.evidence.orientation is orientation
    assert 0.6 <= found.evidence.agreement <= 1
    reason_start = f"pHash {found.evidence.hash_distance}/64"
    assert any(reason.startswith(reason_start) for reason in found.evidence.reasons)
    assert 0 < found.evidence.lines.near_duplicate < found.evidence.lines.duplicate < 1


def test_other_pictures_are_only_similar(client, photographs):
    found = client.compare(photographs / "coffee.jpg", photographs / "rocket.jpg")
    assert (found.verdict, found.probability) == (Verdict.SIMILAR, None)
    assert found.evidence.hash_distance > found.evidence.lines.hash_distance
    assert found.evidence.orientation is None


def test_stored_and_sent_pictures_say_the_same(client, server, gallery, photographs):
    by_name = {image.name: image.id for image in client.images(collection=gallery)}
    sent = photographs / "chelsea.jpg", photographs / "astronaut.jpg"
    stored = by_name["chelsea.jpg"], by_name["astronaut.jpg"]

    async def asked():
        async with AsyncClient(server.url, timeout=60) as other:
            return await other.compare(*stored, collection=gallery)

    first = client.compare(*sent, collection=gallery)
    for other in (
        client.compare(*stored, collection=gallery),
        client.compare(sent[0], stored[1], collection=gallery),
        client.compare(stored[0], sent[1], collection=gallery),
        asyncio.run(asked()),
    ):
        # Described in other company, a picture's components differ in the last digits.
        assert other.score == pytest.approx(first.score, abs=1e-5)
        assert other.evidence.hash_distance == first.evidence.hash_distance
        assert (other.verdict, other.collection) == (first.verdict, gallery)
    assert first.fingerprint == client.info().fingerprint


def test_a_stored_image_is_compared_in_the_space_of_another_collection(client, gallery):
    ids = [image.id for image in client.images(collection=gallery)]
    client.create_collection("compared-by-mac", "vgg16-mac")
    try:
        by_mac = client.compare(ids[0], ids[1], collection="compared-by-mac")
    finally:
        client.collection("compared-by-mac").delete()
    by_default = client.compare(ids[0], ids[1], collection=gallery)
    assert (by_mac.descriptor, by_default.descriptor) == ("vgg16-mac", "vgg16-rmac4")
    assert by_mac.evidence.lines != by_default.evidence.lines
    assert by_mac.score != by_default.score


def test_a_picture_that_cannot_be_compared_is_rejected_by_name(client, photographs, gallery):
    whole = (photographs / "coffee.jpg").read_bytes()
    with pytest.raises(UnsupportedMediaType, match="b: "):
        client.compare(whole, b"no picture")
    with pytest.raises(ImageUnreadable, match="a: "):
        client.compare(whole[: len(whole) // 2], whole)
    with pytest.raises(TooLarge, match="b: "):
        client.compare(whole, flat("PNG", (12_000, 12_000)))
    with pytest.raises(ImageNotFound, match="a: "):
        client.compare(2**70, whole)
    with pytest.raises(CollectionNotFound):
        client.compare(whole, whole, collection="nobody-made-it")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"json": {"a_id": 1}}, 422, "b_id"),
        ({"json": {"a_id": 1, "b_id": True}}, 422, "b_id"),
        ({"json": {"a_id": 1, "b_id": 2, "c_id": 3}}, 422, "c_id"),
        ({"data": {"a_id": "1"}}, 422, "exactly one of `b`"),
        ({"data": {"a_id": "1", "b_id": "x"}}, 422, "b_id"),
        ({"data": {"a_id": "1", "b_id": "2"}, "files": {"a": b"x"}}, 422, "exactly one of `a`"),
        ({"data": {"a_id": "1", "b": "text"}, "files": {"c": b"x"}}, 422, "c: "),
        ({"files": [("a", b"x"), ("b", b"x"), ("b", b"x")]}, 422, "exactly one of `b`"),
        ({"content": b"{"}, 400, ""),
    ],
)
def test_a_call_without_two_pictures_is_rejected(http, body, status, says):
    answer = http.post("/api/v2/compare", **body)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    assert says in answer.json()["detail"]


def test_copies_are_grouped_with_their_originals(client, server, collection, photographs, edited):
    originals = sorted(photographs.iterdir())
    client.upload(originals, collection=collection).wait()
    copies = [
        (f"{name}-{edit}.jpg", content)
        for name in ("coffee", "rocket")
        for edit, content in edited(name).items()
    ]
    client.upload(copies, collection=collection).wait()

    groups = list(client.duplicates(collection=collection, page_size=1))

    names = [{image.name.partition(".")[0] for image in group.images} for group in groups]
    assert names == [
        {"coffee", "coffee-saved", "coffee-mirrored", "coffee-turned", "coffee-framed"},
        {"rocket", "rocket-saved", "rocket-mirrored", "rocket-turned", "rocket-framed"},
    ]
    for group in groups:
        assert (group.is_whole, group.verdict) == (True, Verdict.DUPLICATE)
        first, *others = group.images
        assert first.like is None
        assert first.id < min(image.id for image in others)
        shown = [first.id]
        for image in others:
            assert image.like.image_id in shown
            compared = client.compare(image.like.image_id, image.id, collection=collection)
            assert image.like.score == pytest.approx(compared.score, abs=1e-5)
            assert image.like.hash_distance == compared.evidence.hash_distance
            assert image.like.reasons
            shown.append(image.id)
            assert image.thumbnail().startswith(b"RIFF")

    async def walked():
        async with AsyncClient(server.url, timeout=60) as other:
            return [group async for group in other.duplicates(collection=collection)]

    assert asyncio.run(walked()) == groups


def test_hits_of_a_search_have_the_verdicts_of_comparing(client, collection, photographs, edited):
    copies = [(f"{edit}.jpg", content) for edit, content in edited("coffee").items()]
    client.upload([*sorted(photographs.iterdir()), *copies], collection=collection).wait()
    query = photographs / "coffee.jpg"

    found = client.search(query, collection=collection, top_k=8)

    for hit in found:
        compared = client.compare(query, hit.image_id, collection=collection)
        assert hit.verdict is compared.verdict, hit.name
    names = {hit.name for hit in found if hit.verdict is Verdict.DUPLICATE}
    assert names == {"coffee.jpg", *(name for name, _ in copies)}


def test_duplicates_of_nothing_are_none(client, http, collection):
    assert list(client.duplicates(collection=collection)) == []
    page = http.post("/api/v2/duplicates", json={"collection": collection}).json()
    assert (page["groups"], page["examined"], page["next_cursor"]) == ([], 0, None)
    assert http.post("/api/v2/duplicates").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"min_score": 1.5}, 422),
        ({"limit": 0}, 422),
        ({"limit": 101}, 422),
        ({"cursor": "-1"}, 422),
        ({"cursor": "½"}, 422),
        ({"score": 0.5}, 422),
        ({"collection": "nobody-made-it"}, 404),
    ],
)
def test_a_wrong_question_for_duplicates_is_refused(http, body, status):
    answer = http.post("/api/v2/duplicates", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )


def test_a_misspelt_min_score_is_refused_by_the_client_s_server(client, collection):
    with pytest.raises(InvalidArgument, match="min_score"):
        list(client.duplicates(collection=collection, min_score=2.0))
