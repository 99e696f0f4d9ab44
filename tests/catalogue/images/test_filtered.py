"""Filters that each database answers, compared with `passes` for each image."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from bento_service.catalogue.tables import attributes
from bento_service.filters import expressions as e
from bento_service.filters.parser import parse
from bento_service.search.passing import passes

KEYS = st.sampled_from(["a", "b", "A", 'odd "é" key', "$id", "[]", ""])
TEXTS = st.sampled_from(
    ["", "a", "ab", "b", "A", "é", "\uffff", "\U0001f600", "%", "1", "true", "o'clock", "x" * 400]
)
NUMBERS = st.sampled_from([0.0, 1.0, -0.0, 0.1, 1.5, -7.0, 2.0**53, 1e308, 5e-324])
BEYOND = st.sampled_from(["x" * 401, "a\0b", 10**400, 2**53 + 1, 0, 1])
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, BEYOND, st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
METADATA = st.dictionaries(KEYS, VALUES, max_size=4)

RELATIONS = st.sampled_from(e.Relation)
EQUALITY = st.sampled_from([e.Relation.EQUAL, e.Relation.UNEQUAL])
KEY = st.lists(KEYS, min_size=1, max_size=2).map(lambda path: e.Key(tuple(path)))
OWN_NUMBER = st.sampled_from([e.Own.ID, e.Own.WIDTH, e.Own.HEIGHT, e.Own.BYTES])
MOMENTS = st.sampled_from([datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)])
AFFIXES = st.sampled_from(e.Affix)
LISTED = st.one_of(
    st.lists(TEXTS, min_size=1, max_size=3), st.lists(NUMBERS, min_size=1, max_size=3)
).map(tuple)
TERMS = st.one_of(
    st.builds(e.Compare, KEY, RELATIONS, st.one_of(TEXTS, NUMBERS)),
    st.builds(e.Compare, KEY, EQUALITY, st.booleans()),
    st.builds(e.Compare, KEY, st.just(e.Relation.EQUAL), st.none()),
    st.builds(e.Compare, OWN_NUMBER, RELATIONS, st.sampled_from([10.0, 10.5, 19.5, 20.0, 99.0])),
    st.builds(e.Compare, st.just(e.Own.FORMAT), EQUALITY, st.sampled_from(["PNG", "JPEG"])),
    st.builds(e.Compare, st.just(e.Own.CREATED_AT), RELATIONS, MOMENTS),
    st.builds(e.Among, KEY, LISTED, st.booleans()),
    st.builds(e.Among, OWN_NUMBER, st.just((10.0, 20.0)), st.booleans()),
    st.builds(e.Like, KEY, AFFIXES, TEXTS),
    st.builds(e.Like, st.just(e.Own.FORMAT), AFFIXES, st.sampled_from(["P", "NG", "N", "", "x"])),
    st.builds(e.Contains, KEY, st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())),
    st.builds(e.Exists, KEY),
)
EXPRESSIONS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds(e.Not, inner),
        st.builds(e.And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(e.Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


@pytest.fixture
def described_as(catalogue, cats, add):
    """Put pictures with these metadata into the collection; their ids."""

    def pictures(*metadata):
        ids = add(cats, *(f"{number}.png" for number in range(len(metadata))))
        for image_id, one in zip(ids, metadata, strict=True):
            catalogue.images.set_metadata(image_id, one)
        return ids

    return pictures


def listed(catalogue, collection, which, **page):
    found = catalogue.images.page(collection.id, **{"limit": 1000, **page}, which=which)
    return [image.id for image in found]


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metadata=st.lists(METADATA, min_size=3, max_size=3),
    which=st.lists(EXPRESSIONS, min_size=10, max_size=10),
)
def test_the_database_and_the_filter_of_one_image_agree(catalogue, cats, add, metadata, which):
    ids = add(cats, "1.png", "2.png", "3.png")
    for image_id, one in zip(ids, metadata, strict=True):
        catalogue.images.set_metadata(image_id, one)
    pictures = [catalogue.images.get(image_id) for image_id in sorted(ids)]

    for one in which:
        passing = [picture.id for picture in pictures if passes(one, picture)]
        assert listed(catalogue, cats, one) == passing
        assert catalogue.filtered.count(cats.id, one) == len(passing)


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("price < 20", [0, 1]),
        ("price >= 20", [2]),
        ("not price < 20", [2, 3, 4]),
        ("price != 7", [1, 2]),
        ("not price == 7", [1, 2, 3, 4]),
        ('price == "7"', [3]),
        ("exists price", [0, 1, 2, 3]),
        ('shop == "north" and price < 10', [0]),
        ('shop == "north" or price > 100', [0, 1, 2]),
        ('shop in ["north", "east"]', [0, 1]),
        ('shop not in ["north", "east"]', [2]),
        ('not shop in ["north", "east"]', [2, 3, 4]),
        ('shop like "nor%"', [0, 1]),
        ('shop like "NOR%"', []),
        ('shop like "%th"', [0, 1, 2]),
        ('shop like "%o%"', [0, 1, 2]),
        ("size.width > 3", [1]),
        ("size.width > 3.5", [1]),
        ("exists size", [0, 1]),
        ("sold == true", [2]),
        ("sold != true", [3]),
        ("sold == null", [4]),
        ('tags contains "red"', [0, 4]),
        ("tags contains 3", [4]),
        ('tags == "red"', [1]),
        ("exists tags.red", []),
        ("$width == 20 and $height < 10.5", [0, 1, 2, 3, 4]),
        ("$width < 19.5", []),
        ('$format == "PNG" and $sha256 like "%"', [0, 1, 2, 3, 4]),
        ('$created_at > "2020-01-01"', [0, 1, 2, 3, 4]),
        ('$created_at > "2999-01-01"', []),
        ('"$width" == 1', [3]),
    ],
)
def test_filters_work_as_documented(text, passing, catalogue, cats, described_as):
    ids = described_as(
        {"price": 7, "shop": "north", "size": {"width": 3}, "tags": ["red", "blue"]},
        {"price": 12.5, "shop": "north", "size": {"width": 4}, "tags": "red"},
        {"price": 500, "shop": "south", "sold": True},
        {"price": "7", "sold": False, "$width": 1},
        {"sold": None, "tags": [["red"], 3, "red"]},
    )

    assert listed(catalogue, cats, parse(text)) == [ids[number] for number in passing]


@pytest.mark.parametrize("prefix", ["a\ud7ff", "a\U0010ffff", "\U0010ffff", "z", "%"])
def test_a_prefix_matches_exactly_the_strings_that_begin_with_it(
    prefix, catalogue, cats, described_as
):
    texts = [prefix, prefix + "a", prefix + "\U0010ffff", prefix[:-1] + "\ue000", "b", "", "~"]
    ids = described_as(*({"name": text} for text in texts))

    which = e.Like(e.Key(("name",)), e.Affix.PREFIX, prefix)

    expected = [
        image_id for image_id, text in zip(ids, texts, strict=True) if text.startswith(prefix)
    ]
    assert listed(catalogue, cats, which) == expected
    assert len(expected) == 3


def test_metadata_of_a_train_is_filtered_like_metadata_that_was_set(
    catalogue, cats, folder_job, settle_all
):
    settle_all(folder_job(cats, "a.png", "b.png", metadata={"shop": "north"}))
    settle_all(folder_job(cats, "c.png", metadata={"shop": "south"}))

    assert catalogue.filtered.count(cats.id, parse('shop == "north"')) == 2


def test_old_values_of_changed_metadata_are_not_found(catalogue, cats, described_as):
    (image_id,) = described_as({"price": 7, "shop": "north"})

    catalogue.images.set_metadata(image_id, {"price": 8})

    assert listed(catalogue, cats, parse("price == 7 or exists shop")) == []
    assert listed(catalogue, cats, parse("price == 8")) == [image_id]


def test_other_collections_are_left_alone(catalogue, cats, space, add, described_as):
    dogs = catalogue.collections.create("dogs", space)
    (dog,) = add(dogs, "dog.png")
    catalogue.images.set_metadata(dog, {"price": 7})
    (cat,) = described_as({"price": 7})

    assert listed(catalogue, cats, parse("price == 7")) == [cat]
    assert catalogue.filtered.delete(cats.id, parse("price == 7 or not price == 7")) == 1
    assert listed(catalogue, dogs, parse("price == 7")) == [dog]


def test_exactly_the_passing_images_are_deleted(catalogue, cats, described_as, ids):
    _, dear, unknown, _ = described_as({"price": 1}, {"price": 9}, {}, {"price": 2})

    assert catalogue.filtered.delete(cats.id, parse("price < 5")) == 2

    assert ids(cats) == [dear, unknown]
    assert catalogue.filtered.count(cats.id, parse("price < 5")) == 0
    assert catalogue.filtered.delete(cats.id, parse("price < 5")) == 0


def test_deleted_images_leave_no_rows_behind(catalogue, cats, described_as):
    described_as({"price": 1}, {"price": 2})
    catalogue.filtered.delete(cats.id, parse("price == 1"))
    for index in catalogue.indexes.of(cats.id):
        catalogue.indexes.set_applied(index.id, catalogue.collections.named("cats").index.revision)

    catalogue.images.purge(cats.id)

    with catalogue.database.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(attributes)).scalar_one()
    assert rows == 1


def test_counting_stops_at_its_limit(catalogue, cats, described_as):
    described_as({}, {}, {})

    assert catalogue.filtered.count(cats.id, parse("not exists a"), limit=2) == 2
    assert catalogue.filtered.count(cats.id, parse("not exists a"), limit=9) == 3


def test_a_walk_over_pages_meets_each_image_once_while_others_come_and_go(
    catalogue, cats, add, described_as
):
    which = parse("price < 5")
    first, second, third, fourth, dear = described_as(*[{"price": 1}] * 4, {"price": 9})

    walked = listed(catalogue, cats, which, limit=2)
    catalogue.images.delete(cats.id, [first, third])
    catalogue.images.set_metadata(dear, {"price": 3})
    (late,) = add(cats, "late.png")
    catalogue.images.set_metadata(late, {"price": 4})
    walked += listed(catalogue, cats, which, after=(walked[-1],), limit=2)
    walked += listed(catalogue, cats, which, after=(walked[-1],), limit=2)

    assert walked == [first, second, fourth, dear, late]


def test_a_filter_and_a_prefix_hold_both(catalogue, cats, add):
    ids = add(cats, "a/1.png", "a/2.png", "b/3.png")
    for number, image_id in enumerate(ids):
        catalogue.images.set_metadata(image_id, {"number": number})

    assert listed(catalogue, cats, parse("number > 0"), prefix="a/") == [ids[1]]


def test_descriptors_come_with_their_ids(catalogue, cats, described_as):
    ids = described_as(*({"number": number} for number in range(5)))
    which = parse("number > 1")

    whole = list(catalogue.filtered.descriptors(cats.id, which, index_id=cats.index.id))
    some = list(
        catalogue.filtered.descriptors(
            cats.id, which, index_id=cats.index.id, among=[ids[0], ids[2], ids[4], 10**9]
        )
    )

    assert sorted(np.concatenate([part for part, _ in whole])) == ids[2:]
    assert sorted(np.concatenate([part for part, _ in some])) == [ids[2], ids[4]]
    ((numbers, vectors),) = some
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, [[1, 0, 0, 0]] * len(numbers))


def test_values_are_bound_and_never_part_of_the_statement(catalogue, cats, described_as):
    (image_id,) = described_as({"a": "x' OR '1'='1", "b'); --": 1})

    assert listed(catalogue, cats, parse("""a == "x' OR '1'='1" """)) == [image_id]
    assert listed(catalogue, cats, parse("""a == "y' OR '1'='1" """)) == []
    assert listed(catalogue, cats, parse(""" "b'); --" == 1""")) == [image_id]


def test_the_longest_filter_is_answered(catalogue, cats, described_as):
    (image_id,) = described_as({"a": 100})
    values = ",".join(map(str, range(500)))
    comparisons = " and ".join([f"not a{number} == 1" for number in range(98)])

    assert listed(catalogue, cats, parse(f"a in [{values}] and {comparisons}")) == [image_id]


def test_a_moment_is_compared_to_the_microsecond(catalogue, cats, described_as):
    (image_id,) = described_as({})
    created = catalogue.images.get(image_id).created_at
    later = created + timedelta(microseconds=1)

    assert listed(catalogue, cats, parse(f'$created_at == "{created.isoformat()}"')) == [image_id]
    assert listed(catalogue, cats, parse(f'$created_at < "{later.isoformat()}"')) == [image_id]
    assert listed(catalogue, cats, parse(f'$created_at < "{created.isoformat()}"')) == []
