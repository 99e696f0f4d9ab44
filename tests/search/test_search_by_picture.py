"""Searches by a stored image, and by a picture."""

import asyncio
import io
import threading

import numpy as np
import pytest
from PIL import Image

from bento_service.errors import (
    CollectionNotFound,
    ImageNotFound,
    InvalidArgument,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.search import query
from bento_service.search.query import Query
from tests.search.searching import (
    DIMENSION,
    SPACE,
    by_colour,
    ids_of,
    random_units,
    searching,
    unit,
)
from tests.support.pictures import png
from tests.support.waiting import WAIT_SECONDS

# Stored images as queries


def test_a_stored_image_is_its_own_best_hit(searcher, cats, add, apply):
    ids = add(cats, random_units(10))
    apply()
    result = searcher.by_id(Query("cats", top_k=3), ids[4])
    assert result.hits[0].image.id == ids[4]
    assert result.hits[0].score == 1.0
    assert len(result.hits) == 3
    assert result.stages_ms.keys() == {"index", "join"}


def test_an_image_of_another_collection_is_not_found(searcher, catalogue, cats, add):
    dogs = catalogue.collections.create("dogs", SPACE)
    (rex,) = add(dogs, random_units(1))
    with pytest.raises(ImageNotFound, match="in 'cats'"):
        searcher.by_id(Query("cats"), rex)


def test_a_deleted_image_cannot_be_searched_with(searcher, catalogue, cats, add, apply):
    (tom,) = add(cats, random_units(1))
    apply()
    catalogue.images.delete(cats.id, [tom])
    for image_id in (tom, tom + 1, 0, 2**70):
        with pytest.raises(ImageNotFound):
            searcher.by_id(Query("cats"), image_id)


# Pictures as queries


def colour_units(*colours):
    means = np.zeros((len(colours), DIMENSION))
    means[:, :3] = np.array(colours) + 1e-3
    return unit(means)


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def test_a_picture_finds_what_is_described_like_it(searcher, cats, add):
    red, green = add(cats, colour_units(RED, GREEN))
    result = asyncio.run(searcher.by_picture(Query("cats"), png("lime")))
    assert ids_of(result.hits) == [green, red]
    assert result.hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert result.warnings == ()
    assert result.lag == 2
    assert result.stages_ms.keys() == {"queue", "decode", "describe", "index", "join"}
    assert result.search_ms >= result.stages_ms["index"] + result.stages_ms["join"]


def test_the_hashes_of_a_query_are_computed_while_it_is_described(
    catalogue, gallery, cats, add, monkeypatch
):
    computed, prints_of = threading.Event(), query.prints_of

    def noted(pixels):
        computed.set()
        return prints_of(pixels)

    async def describe(images):
        assert await asyncio.to_thread(computed.wait, WAIT_SECONDS)
        return await by_colour(images)

    monkeypatch.setattr(query, "prints_of", noted)
    (red,) = add(cats, colour_units(RED))
    searcher = searching(catalogue, gallery, describe)
    result = asyncio.run(searcher.by_picture(Query("cats"), png("red")))
    assert ids_of(result.hits) == [red]


@pytest.fixture
def lookups(catalogue, monkeypatch):
    """The names of the collections that were looked up, in order."""
    names, comparable = [], catalogue.collections.comparable

    def noted(name, computed):
        names.append(name)
        return comparable(name, computed)

    monkeypatch.setattr(catalogue.collections, "comparable", noted)
    return names


def test_a_collection_that_was_searched_before_is_looked_up_once(searcher, cats, add, lookups):
    add(cats, colour_units(RED))
    asyncio.run(searcher.by_picture(Query("cats"), png("red")))
    assert lookups == ["cats"] * 2  # before the picture is decoded, and before the search
    (green,) = add(cats, colour_units(GREEN))
    result = asyncio.run(searcher.by_picture(Query("cats", top_k=1), png("lime")))
    assert ids_of(result.hits) == [green]
    assert lookups == ["cats"] * 3


def test_a_deleted_collection_is_not_found_though_it_was_searched(searcher, catalogue, cats, add):
    add(cats, colour_units(RED))
    asyncio.run(searcher.by_picture(Query("cats"), png("red")))
    catalogue.collections.delete(cats.id)
    for picture in (png("red"), b"no picture"):  # the second without work on the picture
        with pytest.raises(CollectionNotFound):
            asyncio.run(searcher.by_picture(Query("cats"), picture))


def test_a_picture_can_be_an_open_file(searcher, cats, add):
    (red,) = add(cats, colour_units(RED))
    result = asyncio.run(searcher.by_picture(Query("cats"), io.BytesIO(png("red"))))
    assert ids_of(result.hits) == [red]


def test_only_the_region_is_searched_with(searcher, cats, add):
    red, blue = add(cats, colour_units(RED, BLUE))
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (20, 0, 40, 20))
    file = io.BytesIO()
    picture.save(file, "PNG")
    for region, best in (((0, 0, 20, 20), red), ((20, 0, 20, 20), blue)):
        result = asyncio.run(searcher.by_picture(Query("cats"), file.getvalue(), region=region))
        assert result.hits[0].image.id == best
        assert result.hits[0].score == pytest.approx(1.0, abs=1e-5)


def test_an_animation_is_searched_with_its_first_frame_and_a_warning(searcher, cats, add):
    red, _ = add(cats, colour_units(RED, GREEN))
    file = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), "lime")]
    Image.new("RGB", (9, 9), "red").save(file, "GIF", save_all=True, append_images=frames)
    result = asyncio.run(searcher.by_picture(Query("cats"), file.getvalue()))
    assert result.hits[0].image.id == red
    assert "only the first" in result.warnings[0]


def test_bytes_that_are_no_picture_are_refused(searcher, cats):
    with pytest.raises(UnsupportedMediaType):
        asyncio.run(searcher.by_picture(Query("cats"), b"text"))
    with pytest.raises(TooLarge):
        asyncio.run(searcher.by_picture(Query("cats"), png("red", (101, 100))))
    with pytest.raises(InvalidArgument):
        asyncio.run(searcher.by_picture(Query("cats"), png("red"), region=(0, 0, 50, 50)))
