"""Searching: a real catalogue, a real index, and a fake embedder that looks at colours."""

import asyncio
import io
import itertools
import socket
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from anyio.to_thread import run_sync
from PIL import Image

from bento_service.catalogue.records import Computed, DescriptorSpace
from bento_service.descriptors.describer import Describer
from bento_service.errors import (
    CollectionNotFound,
    Conflict,
    ImageNotFound,
    IndexUnavailable,
    InvalidArgument,
    TooLarge,
    UnsupportedMediaType,
)
from bento_service.filters.parser import parse
from bento_service.gallery.milvus_gallery import MilvusGallery
from bento_service.indexing.replay import Replay, ReplayPace
from bento_service.search.filtered import FilteredSearch, FilterLimits
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.search.query import Query
from tests.support import indexes
from tests.support.indexes import commit, described, on_both
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.waiting import running, wait_until

DIMENSION = 8
SPACE = DescriptorSpace("vgg16-mac", "vgg16:one", "f" * 64, DIMENSION, "fp32")
DECODER = LocalDecoder(max_pixels=10_000)


def unit(vectors):
    vectors = np.asarray(vectors, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


random_units = partial(indexes.random_units, dimension=DIMENSION)


async def by_colour(images):
    """Describe images by their mean colours, in place of the embedder."""
    means = np.zeros((len(images), DIMENSION))
    means[:, :3] = images.mean(axis=(1, 2)) + 1e-3
    return {SPACE.fingerprint: unit(means)}


@pytest.fixture
def cats(catalogue):
    return catalogue.collections.create("cats", SPACE)


@pytest.fixture
def searcher(catalogue, gallery):
    return searching(catalogue, gallery)


def searching(catalogue, gallery, describe=by_colour, space=SPACE, **options):
    computed = Computed((space,))
    describer = Describer(DECODER, describe, side=4)
    return PictureSearcher(catalogue, gallery, describer, computed=computed, **options)


@pytest.fixture
def without_milvus(catalogue):
    """A searcher whose Milvus never answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        with MilvusGallery(f"http://127.0.0.1:{taken.getsockname()[1]}") as nowhere:
            yield searching(catalogue, nowhere)


@pytest.fixture
def add(catalogue):
    """Commit images with these descriptors; return their ids."""
    numbers = itertools.count()

    def images(collection, descriptors):
        names = [f"{next(numbers)}.png" for _ in descriptors]
        pictures = {
            name: described(name, {SPACE.fingerprint: vector})
            for name, vector in zip(names, descriptors, strict=True)
        }
        return commit(catalogue, collection, pictures)

    return images


@pytest.fixture
def apply(catalogue, gallery):
    """Let replay run until the index is equal to the catalogue."""

    def catch_up():
        with Replay(
            catalogue, gallery, on_purged=lambda digests: None, pace=ReplayPace(gather_seconds=0.01)
        ) as replay:
            wait_until(
                lambda: all(
                    replay.is_open(one.index) and one.index.applied >= one.index.revision
                    for one in catalogue.collections.all()
                )
            )

    return catch_up


def exact(ids, descriptors, query):
    """Return ids and cosines, best first, ties by id, in double precision."""
    cosines = np.asarray(descriptors, np.float64) @ np.asarray(query, np.float64)
    return sorted(zip(ids, cosines.tolist(), strict=True), key=lambda p: (-round(p[1], 6), p[0]))


def ids_of(found):
    return [one.image.id for one in found]


# What is found


@on_both
@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_the_best_images_are_found_in_order_however_far_the_index_is(
    applied, searcher, cats, add, apply
):
    """Searches find images that replay has not applied yet."""
    vectors, queries = random_units(60), random_units(4, seed=1)
    ids = add(cats, vectors[:30])
    if applied == "half":
        apply()
    ids += add(cats, vectors[30:])
    if applied == "all":
        apply()
    for query in queries:
        result = searcher.by_descriptor(Query("cats", top_k=25), query)
        found = result.hits
        expected = exact(ids, vectors, query)[:25]
        assert ids_of(found) == [image_id for image_id, _ in expected]
        assert np.allclose(
            [one.score for one in found], [score for _, score in expected], atol=2e-6
        )
        assert [one.rank for one in found] == list(range(1, 26))
        assert result.lag == {"all": 0, "half": 30, "none": 60}[applied]


@on_both
@pytest.mark.parametrize("applied", [True, False])
def test_deleted_images_are_not_found_before_and_after_replay(
    applied, searcher, catalogue, cats, add, apply
):
    vectors = random_units(30)
    ids = add(cats, vectors)
    apply()
    query = vectors[0]
    gone = {image_id for image_id, _ in exact(ids, vectors, query)[:12]}
    catalogue.images.delete(cats.id, gone)
    if applied:
        apply()
    found = searcher.by_descriptor(Query("cats", top_k=10), query).hits
    left = [pair for pair in exact(ids, vectors, query) if pair[0] not in gone]
    assert ids_of(found) == [image_id for image_id, _ in left[:10]]


def test_an_emptied_collection_finds_nothing(searcher, catalogue, cats, add, apply):
    vectors = random_units(20)
    add(cats, vectors)
    apply()
    catalogue.images.delete_all(cats.id)
    result = searcher.by_descriptor(Query("cats", top_k=5), vectors[0])
    assert (result.hits, result.lag) == ((), 20)
    apply()
    result = searcher.by_descriptor(Query("cats", top_k=5), vectors[0])
    assert (result.hits, result.lag) == ((), 0)


def test_a_picture_that_is_added_again_is_found_once_by_its_new_id(
    searcher, catalogue, cats, add, apply
):
    (vector,) = random_units(1)
    (old,) = add(cats, [vector])
    apply()
    catalogue.images.delete_all(cats.id)
    (new,) = add(cats, [vector])
    assert ids_of(searcher.by_descriptor(Query("cats"), vector).hits) == [new]
    assert new != old


def test_a_new_collection_is_empty_before_replay_has_seen_it(searcher, cats):
    result = searcher.by_descriptor(Query("cats"), random_units(1)[0])
    assert (result.hits, result.lag) == ((), 0)


def test_collections_do_not_mix(searcher, catalogue, cats, add, apply):
    dogs = catalogue.collections.create("dogs", SPACE)
    vectors = random_units(2)
    tom, rex = add(cats, vectors[:1]), add(dogs, vectors[1:])
    apply()
    assert ids_of(searcher.by_descriptor(Query("cats"), vectors[1]).hits) == tom
    assert ids_of(searcher.by_descriptor(Query("dogs"), vectors[1]).hits) == rex


def test_hits_have_the_records_of_the_catalogue(searcher, catalogue, cats, add, apply):
    (tom,) = add(cats, random_units(1))
    apply()
    catalogue.images.set_metadata(tom, {"name": "Tom"})
    (found,) = searcher.by_descriptor(Query("cats"), random_units(1)[0]).hits
    assert found.image == catalogue.images.get(tom)
    assert found.image.metadata == {"name": "Tom"}


# Pages


@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_pages_are_slices_of_one_long_result(applied, searcher, cats, add, apply):
    vectors = random_units(50)
    add(cats, vectors[:25])
    if applied != "none":
        apply()
    add(cats, vectors[25:])
    if applied == "all":
        apply()
    query = random_units(1, seed=9)[0]
    whole = searcher.by_descriptor(Query("cats", top_k=50), query).hits
    assert len(whole) == 50
    for offset in range(0, 60, 7):
        page = searcher.by_descriptor(Query("cats", top_k=7, offset=offset), query).hits
        assert page == whole[offset : offset + 7]


@on_both
@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_equal_scores_are_in_the_order_of_ids_on_every_page(
    applied, searcher, catalogue, cats, add, apply
):
    """Thirty images of one picture differ only by noise, as after re-encoding."""
    noise = 2e-3 * np.random.default_rng(3).standard_normal((30, DIMENSION))
    twins = unit(np.arange(1, 9) + noise)
    far = unit(np.arange(-8, 0))
    ids = add(cats, [far, *twins[:15]])
    if applied != "none":
        apply()
        catalogue.changes.touch(cats.index, ids[1:6])  # now they lie behind the others
        apply()
    ids += add(cats, [*twins[15:], far])
    if applied == "all":
        apply()
    seen = []
    for offset in range(0, 40, 4):
        page = searcher.by_descriptor(Query("cats", top_k=4, offset=offset), unit(range(1, 9))).hits
        seen += ids_of(page)
    assert seen == [*ids[1:31], ids[0], ids[31]]


def test_a_page_beyond_the_end_is_empty(searcher, cats, add):
    add(cats, random_units(3))
    query = random_units(1)[0]
    assert searcher.by_descriptor(Query("cats", top_k=5, offset=3), query).hits == ()
    assert searcher.by_descriptor(Query("cats", top_k=5, offset=1000), query).hits == ()


@on_both
def test_results_end_where_a_milvus_server_would_end(searcher, cats):
    query = random_units(1)[0]
    with pytest.raises(InvalidArgument, match="16385; at most 16384"):
        searcher.by_descriptor(Query("cats", top_k=1000, offset=15_385), query)
    assert searcher.by_descriptor(Query("cats", top_k=1000, offset=15_384), query).hits == ()


def test_rows_that_an_index_has_twice_are_found_once(searcher, cats, add, apply, monkeypatch):
    ids = add(cats, random_units(40))
    apply()
    search = MilvusGallery.search

    def twice(self, name, query, *, top_k, **options):
        near = search(self, name, query, top_k=top_k, **options)
        return [one for one in near for _ in range(2)][:top_k]

    query = random_units(1)[0]
    right = [one.image.id for one in searcher.by_descriptor(Query("cats", top_k=40), query).hits]
    monkeypatch.setattr(MilvusGallery, "search", twice)
    for top_k in (1, 7, 40, 100):
        found = searcher.by_descriptor(Query("cats", top_k=top_k), query).hits
        assert [one.image.id for one in found] == right[:top_k]
    assert sorted(right) == sorted(ids)


# Scores


def test_hits_below_min_score_are_left_out(searcher, cats, add, apply):
    vectors = random_units(40)
    ids = add(cats, vectors)
    apply()
    query = vectors[3]
    expected = [pair[0] for pair in exact(ids, vectors, query) if pair[1] >= 0.2]
    assert 3 < len(expected) < 37
    found = searcher.by_descriptor(Query("cats", top_k=40, min_score=0.2), query).hits
    assert ids_of(found) == expected
    second = searcher.by_descriptor(Query("cats", top_k=2, offset=2, min_score=0.2), query).hits
    assert ids_of(second) == expected[2:4]
    assert searcher.by_descriptor(Query("cats", min_score=1.0), query).hits[0].image.id == ids[3]
    assert len(searcher.by_descriptor(Query("cats", top_k=40, min_score=-1.0), query).hits) == 40


@pytest.mark.parametrize("applied", [True, False])
def test_scores_are_cosines_and_distances_are_euclidean(applied, searcher, cats, add, apply):
    vectors = random_units(200)
    by_id = dict(
        zip(add(cats, [*vectors, *-vectors[:20]]), [*vectors, *-vectors[:20]], strict=True)
    )
    if applied:
        apply()
    for query in vectors[:5]:
        found = searcher.by_descriptor(Query("cats", top_k=220), query).hits
        assert len(found) == 220
        for one in found:
            assert -1.0 <= one.score <= 1.0
            between = np.linalg.norm(by_id[one.image.id].astype(np.float64) - query)
            assert one.distance == pytest.approx(between, abs=2e-3)
        assert (found[0].score, found[0].distance) == (1.0, 0.0)
        assert (found[-1].score, found[-1].distance) == (-1.0, 2.0)


# Refusals


def test_an_unknown_collection_is_an_error(searcher, cats):
    with pytest.raises(CollectionNotFound, match="'dogs'"):
        searcher.by_descriptor(Query("dogs"), random_units(1)[0])


def test_pictures_that_wait_for_a_decoder_block_nothing_else(catalogue, gallery, cats):
    is_free = threading.Event()

    class Busy(LocalDecoder):
        def decode(self, *arguments, **options):
            assert is_free.wait(120)
            return super().decode(*arguments, **options)

    async def run():
        describer = Describer(Busy(10_000), by_colour, side=4)
        searcher = PictureSearcher(catalogue, gallery, describer, computed=Computed((SPACE,)))
        pictures = [searcher.by_picture(Query("cats"), png("red")) for _ in range(50)]
        waiting = asyncio.gather(*pictures)
        await asyncio.sleep(0.5)
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(lambda: "answered") == "answered"
            assert await run_sync(lambda: "answered") == "answered"
        assert not waiting.done()
        is_free.set()
        assert len(await waiting) == 50

    asyncio.run(run())


def test_a_collection_of_another_model_is_a_conflict_before_any_work(catalogue, cats, gallery):
    async def never(images):
        raise AssertionError

    searcher = searching(catalogue, gallery, never, replace(SPACE, fingerprint="e" * 64))
    with pytest.raises(Conflict):
        searcher.by_descriptor(Query("cats"), random_units(1)[0])
    with pytest.raises(Conflict):
        asyncio.run(searcher.by_picture(Query("cats"), b"not even a picture"))


def test_without_milvus_searches_raise_index_unavailable(without_milvus, cats, add, apply):
    ids = add(cats, random_units(3))
    apply()
    with pytest.raises(IndexUnavailable):
        without_milvus.by_descriptor(Query("cats"), random_units(1)[0])
    with pytest.raises(IndexUnavailable):
        without_milvus.by_id(Query("cats"), ids[0])
    with pytest.raises(IndexUnavailable):
        asyncio.run(without_milvus.by_picture(Query("cats"), png("red")))


def test_exact_search_needs_no_milvus(without_milvus, cats, add, apply):
    vectors = random_units(30)
    ids = add(cats, vectors[:20])
    apply()
    ids += add(cats, vectors[20:])
    result = without_milvus.by_id(Query("cats", top_k=30, exact=True), ids[4])
    explanation = result.explanation()
    wanted = [image_id for image_id, _ in exact(ids, vectors, vectors[4])]
    assert ids_of(result.hits) == wanted
    assert (explanation["exact"], explanation["index_type"]) == (True, "")
    assert explanation["way"] == "compared with every image"


def test_an_index_too_far_behind_is_an_error(catalogue, gallery, cats, add):
    searcher = searching(catalogue, gallery, max_lag=10)
    add(cats, random_units(10))
    assert searcher.by_descriptor(Query("cats"), random_units(1)[0]).lag == 10
    add(cats, random_units(1))
    with pytest.raises(IndexUnavailable, match="catching up"):
        searcher.by_descriptor(Query("cats"), random_units(1)[0])


# By an image that is stored


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


# By a picture


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


# While everything moves


@on_both
def test_acknowledged_changes_are_visible_at_once_while_replay_runs(
    searcher, catalogue, gallery, cats, add
):
    """Every image is found from its commit to its deletion, and never afterwards."""
    failures = []
    stop = threading.Event()

    def search_on():
        query = random_units(1, seed=5)[0]
        while not stop.is_set():
            found = searcher.by_descriptor(Query("cats", top_k=50), query).hits
            ids = ids_of(found)
            if len(set(ids)) != len(ids):
                failures.append(ids)

    with (
        Replay(
            catalogue, gallery, on_purged=lambda digests: None, pace=ReplayPace(gather_seconds=0.01)
        ) as replay,
        running(threading.Thread(target=search_on), stop=stop.set),
    ):
        for number in range(20):
            vectors = random_units(2, seed=100 + number)
            ids = add(cats, vectors)
            replay.wake()
            for image_id, vector in zip(ids, vectors, strict=True):
                best = searcher.by_descriptor(Query("cats", top_k=1), vector).hits
                if ids_of(best) != [image_id]:
                    failures.append(("lost", number, image_id))
            catalogue.images.delete(cats.id, ids[:1])
            replay.wake()
            found = searcher.by_descriptor(Query("cats", top_k=100), vectors[0]).hits
            if ids[0] in ids_of(found) or len(found) != number + 1:
                failures.append(("ghost or lost", number, len(found)))
    assert failures == []


# Among the images that pass a filter


@pytest.fixture(params=[10_000, 0], ids=["compared", "by the index"])
def compared(request):
    """Return the limit up to which passing images are compared without the index."""
    return request.param


@pytest.fixture
def filtering(compared, catalogue, gallery):
    return searching(catalogue, gallery, filter_limits=FilterLimits(compared=compared))


@pytest.fixture
def numbered(catalogue, cats, add):
    """Commit images with these descriptors and their numbers as metadata; return their ids."""

    def images(descriptors):
        ids = add(cats, descriptors)
        for number, image_id in enumerate(ids):
            catalogue.images.set_metadata(image_id, {"number": number})
        return ids

    return images


@pytest.mark.parametrize("applied", ["all", "half", "none"])
def test_a_filtered_search_finds_the_best_of_those_that_pass(
    applied, filtering, catalogue, cats, numbered, add, apply
):
    vectors, queries = random_units(60), random_units(3, seed=1)
    ids = numbered(vectors[:30])
    if applied == "half":
        apply()
    ids += add(cats, vectors[30:])
    for number, image_id in enumerate(ids[30:], start=30):
        catalogue.images.set_metadata(image_id, {"number": number})
    catalogue.images.delete(cats.id, ids[10:15])
    if applied == "all":
        apply()
    passing = [number for number in range(60) if number >= 5 and not 10 <= number < 15]

    for query in queries:
        wanted = exact([ids[n] for n in passing], vectors[passing], query)
        for top_k in (1, 7, 60):
            found = filtering.by_descriptor(
                Query("cats", top_k=top_k, which=parse("number >= 5")), query
            ).hits
            assert ids_of(found) == [image_id for image_id, _ in wanted[:top_k]]
            assert [one.score for one in found] == pytest.approx(
                [cosine for _, cosine in wanted[:top_k]], abs=1e-6
            )


def test_pages_of_a_filtered_search_are_slices_of_the_whole_with_ties_by_id(
    filtering, numbered, apply
):
    vectors = np.repeat(random_units(5), 12, axis=0)
    numbered(vectors)
    apply()
    which = parse("number in [" + ",".join(str(n) for n in range(0, 60, 2)) + "]")

    whole = filtering.by_descriptor(Query("cats", top_k=60, which=which), vectors[0]).hits
    pages = [
        filtering.by_descriptor(Query("cats", top_k=4, offset=at, which=which), vectors[0]).hits
        for at in range(0, 32, 4)
    ]

    assert [one for page in pages for one in page] == list(whole)
    assert len(whole) == 30
    ranks = [(-one.score, one.image.id) for one in whole]
    assert ranks == sorted(ranks)


def test_few_passing_images_are_found_behind_many_others(
    compared, catalogue, gallery, numbered, apply
):
    vectors = random_units(200)
    ids = numbered(vectors)
    apply()
    query = vectors[0]
    far = [number for number, _ in exact(range(200), vectors, query)[-3:]]
    which = parse(f"number in {far}")

    limits = FilterLimits(compared=compared, neighbours=50)
    filtering = searching(catalogue, gallery, filter_limits=limits)

    found = filtering.by_descriptor(Query("cats", top_k=2, which=which), query).hits

    assert ids_of(found) == [ids[number] for number in far[:2]]


def test_a_filtered_search_leaves_out_hits_below_min_score(filtering, numbered, apply):
    vectors = random_units(50)
    ids = numbered(vectors)
    apply()
    wanted = [
        image_id for image_id, cosine in exact(ids[25:], vectors[25:], vectors[0]) if cosine >= 0.25
    ]

    found = filtering.by_descriptor(
        Query("cats", top_k=50, min_score=0.25, which=parse("number >= 25")), vectors[0]
    ).hits

    assert 0 < len(wanted) < 25
    assert ids_of(found) == wanted


def test_a_filter_that_few_images_pass_is_answered_without_milvus(
    catalogue, numbered, without_milvus, tmp_path
):
    vectors = random_units(5)
    ids = numbered(vectors)
    catalogue.indexes.set_applied(
        catalogue.collections.named("cats").index.id,
        catalogue.collections.named("cats").index.revision,
    )
    query = Query("cats", which=parse("number == 3"))
    found = without_milvus.by_descriptor(query, vectors[0]).hits
    assert ids_of(found) == [ids[3]]


def test_an_image_that_changes_during_a_search_is_filtered_as_it_is_then(
    searcher, catalogue, numbered, monkeypatch
):
    vectors = random_units(5)
    ids = numbered(vectors)
    nearest = FilteredSearch.nearest

    def slowly(*arguments, **options):
        near = nearest(*arguments, **options)
        catalogue.images.set_metadata(ids[3], {"number": -1})
        return near

    monkeypatch.setattr(FilteredSearch, "nearest", slowly)
    found = searcher.by_descriptor(Query("cats", which=parse("number >= 2")), vectors[0]).hits

    assert sorted(ids_of(found)) == [ids[2], ids[4]]
