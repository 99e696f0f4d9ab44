"""Searches among the images that pass a filter."""

import numpy as np
import pytest

from bento_service.filters.parser import parse
from bento_service.search.filtered import FilteredSearch, FilterLimits
from bento_service.search.query import Query
from tests.search.searching import exact, ids_of, random_units, searching


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
