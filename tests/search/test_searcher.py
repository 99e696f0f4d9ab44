"""Searches in a real catalogue and a real Milvus."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
from anyio.to_thread import run_sync

from bento_service.catalogue.records import Computed
from bento_service.descriptors.describer import Describer
from bento_service.errors import (
    CollectionNotFound,
    Conflict,
    IndexUnavailable,
)
from bento_service.indexing.replay import Replay, ReplayPace
from bento_service.search.picture_searcher import PictureSearcher
from bento_service.search.query import Query
from tests.search.searching import SPACE, by_colour, exact, ids_of, random_units, searching
from tests.support.indexes import on_both
from tests.support.local_decoder import LocalDecoder
from tests.support.pictures import png
from tests.support.waiting import running

# Hits


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


# Searches during replay


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
