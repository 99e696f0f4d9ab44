"""Filters applied to one image; other tests compare the databases with this."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from bento_service.filters.parser import parse
from bento_service.search.passing import passes


@dataclass(frozen=True)
class Picture:
    metadata: dict = field(default_factory=dict)
    id: int = 7
    width: int = 20
    height: int = 10
    bytes: int = 99
    format: str = "PNG"
    sha256: str = "ab" * 32
    created_at: datetime = datetime(2026, 1, 31, 12, tzinfo=UTC)


METADATA = {
    "price": 12.5,
    "stock": 0,
    "shop": "north",
    "sold": False,
    "gone": None,
    "tags": ["red", 3, ["blue"]],
    "size": {"width": 4, "odd name": {"x": 1}},
}


@pytest.mark.parametrize(
    "text",
    [
        "price == 12.5",
        "price < 12.6 and price > 12.4 and price <= 12.5 and price >= 12.5 and price != 12",
        'shop > "no" and shop < "o" and shop != "North"',
        "sold == false and sold != true",
        "gone == null and exists gone",
        'size.width in [3, 4] and size."odd name".x not in [2, 3]',
        'shop like "no%" and shop like "%th" and shop like "%ort%" and shop like "north"',
        'tags contains "red" and tags contains 3',
        "$id == 7 and $width == 20 and $height < 11",
        '$bytes == 99 and $format in ["PNG"] and $sha256 like "abab%"',
        '$created_at > "2026-01-31" and $created_at == "2026-01-31T13:00:00+01:00"',
        "price == 1 or price == 12.5",
    ],
)
def test_a_true_filter_passes_and_its_negation_does_not(text):
    assert passes(parse(text), Picture(METADATA))
    assert not passes(parse(f"not ({text})"), Picture(METADATA))


COMPOSED, DECOMPOSED = "M\u00fcller", "Mu\u0308ller"


@pytest.mark.parametrize("stored", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("typed", [COMPOSED, DECOMPOSED])
def test_texts_are_compared_in_one_normal_form(stored, typed):
    picture = Picture({"name": stored, "names": [stored]})
    for text in (
        f'name == "{typed}" and name in ["{typed}"] and names contains "{typed}"',
        f'name like "{typed[:-2]}%" and name like "%{typed[1:]}" and name >= "{typed}"',
        f'not name != "{typed}"',
    ):
        assert passes(parse(text), picture)


@pytest.mark.parametrize("relation", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("key", ["missing", "shop.missing", "gone", "shop", "sold", "tags", "size"])
def test_comparisons_with_numbers_are_false_for_other_kinds(key, relation):
    assert not passes(parse(f"{key} {relation} 0"), Picture(METADATA))
    assert passes(parse(f"not {key} {relation} 0"), Picture(METADATA))


@pytest.mark.parametrize(
    "text",
    [
        "stock == false",
        "sold == 0",
        'price == "12.5"',
        "price not in [12.5]",
        "missing not in [1]",
        'shop not in ["north"]',
        'tags contains "blue"',
        'shop contains "north"',
        'price like "%"',
        'size contains "width"',
        "exists missing",
        "exists tags.red",
    ],
)
def test_values_that_are_missing_or_of_another_kind_do_not_pass(text):
    assert not passes(parse(text), Picture(METADATA))
