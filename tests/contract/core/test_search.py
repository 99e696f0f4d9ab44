"""Searches by a sent picture, a part of one, or a stored image, and the scores of their hits."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image


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
