"""Reading filters: what they become, and what is said about the wrong ones."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bento_service.errors import InvalidArgument
from bento_service.filters.expressions import (
    Affix,
    Among,
    And,
    Compare,
    Contains,
    Exists,
    Key,
    Like,
    Not,
    Or,
    Own,
    Relation,
)
from bento_service.filters.parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, MAX_VALUES, parse

PRICE, SHOP = Key(("price",)), Key(("shop",))


def equal(key, value):
    return Compare(key, Relation.EQUAL, value)


@pytest.mark.parametrize("relation", ["==", "!=", "<", "<=", ">", ">="])
def test_every_comparison_is_parsed(relation):
    assert parse(f"price {relation} 20") == Compare(PRICE, Relation(relation), 20.0)
    assert parse(f"price{relation}-2.5e1") == Compare(PRICE, Relation(relation), -25.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('shop == "north"', equal(SHOP, "north")),
        ("shop == 'north'", equal(SHOP, "north")),
        (r'shop == "a \"b\" \\ \n \t"', equal(SHOP, 'a "b" \\ \n \t')),
        ("shop == true", equal(SHOP, True)),
        ("shop != FALSE", Compare(SHOP, Relation.UNEQUAL, False)),
        ("shop == null", equal(SHOP, None)),
        ('shop in ["a", "b"]', Among(SHOP, ("a", "b"), inside=True)),
        ("price not in [1, 2.5]", Among(PRICE, (1.0, 2.5), inside=False)),
        ('shop contains "x"', Contains(SHOP, "x")),
        ("exists size.width", Exists(Key(("size", "width")))),
        ('exists size."a.b c"."in"', Exists(Key(("size", "a.b c", "in")))),
        ('"odd name" == 1', equal(Key(("odd name",)), 1.0)),
        ("größe == 1", equal(Key(("größe",)), 1.0)),
        ("$width > 10", Compare(Own.WIDTH, Relation.ABOVE, 10.0)),
        ('"$width" > 10', Compare(Key(("$width",)), Relation.ABOVE, 10.0)),
        ('$format in ["PNG"]', Among(Own.FORMAT, ("PNG",), inside=True)),
        (
            '$created_at >= "2026-01-31"',
            Compare(Own.CREATED_AT, Relation.AT_LEAST, datetime(2026, 1, 31, tzinfo=UTC)),
        ),
        (
            '$created_at < "2026-01-31T12:00:00+01:00"',
            Compare(Own.CREATED_AT, Relation.BELOW, datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ),
    ],
)
def test_terms_are_parsed(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("north%", Like(SHOP, Affix.PREFIX, "north")),
        ("%north", Like(SHOP, Affix.SUFFIX, "north")),
        ("%or_h%", Like(SHOP, Affix.INFIX, "or_h")),
        ("%", Like(SHOP, Affix.PREFIX, "")),
        ("%%", Like(SHOP, Affix.INFIX, "")),
        ("north", equal(SHOP, "north")),
    ],
)
def test_percent_signs_decide_which_part_of_a_value_is_compared(pattern, expected):
    assert parse(f'shop like "{pattern}"') == expected


def test_not_binds_closer_than_and_and_and_closer_than_or():
    a, b, c = (equal(Key((name,)), 1.0) for name in "abc")

    assert parse("a == 1 or b == 1 and c == 1") == Or((a, And((b, c))))
    assert parse("(a == 1 or b == 1) and c == 1") == And((Or((a, b)), c))
    assert parse("not a == 1 and b == 1") == And((Not(a), b))
    assert parse("NOT NOT (a == 1 OR b == 1)") == Not(Not(Or((a, b))))


@pytest.mark.parametrize(
    ("text", "reason", "character"),
    [
        ("", "expected a name for a comparison, found the end", 1),
        ("  ", "expected a name for a comparison, found the end", 3),
        ("price", "expected a comparison", 6),
        ("price = 20", "use `==`", 7),
        ("a == 1 && b == 1", "use `and`", 8),
        ("price < ", "expected a number, a string, true, false or null, found the end", 9),
        ("price < shop", "found 'shop'", 9),
        ("20 < price", "expected a name for a comparison, found '20'", 1),
        ('shop == "north', "a string begins that does not end", 9),
        (r'shop == "a\x"', r"'\\x' stands for nothing", 11),
        ("price < 20 price > 3", "expected `and`, `or` or the end, found 'price'", 12),
        ("(price < 20", "expected `)`, found the end", 12),
        ("price < 1e999", "too large", 9),
        ("price < true", "`==` and `!=` only", 7),
        ("price != null", "`==` only", 7),
        ("price in []", "expected a number", 11),
        ('price in [1, "a"]', "either numbers or strings", 11),
        ("price in [true]", "either numbers or strings", 11),
        ('shop like "a%b"', "`%` stands at the beginning or at the end", 11),
        ("shop like 3", "expected a pattern", 11),
        ("$depth < 3", "'$depth' is none of $id, $width", 1),
        ("$ < 3", "'$' is none of", 1),
        ('$width == "3"', "`$width` is compared with numbers", 11),
        ("$format == 3", "`$format` is compared with strings", 12),
        ('$format < "P"', "knows ==, !=, in and like only", 9),
        ('$created_at > "yesterday"', "no date", 15),
        ('$created_at > "0001-01-01T00:00:00+23:00"', "no date", 15),
        ('$width like "3%"', "no string", 13),
        ("$id contains 3", "is no list", 1),
        ("exists $id", "expected a name for `exists`", 8),
        ('shop == "a\0"', "valid Unicode without NUL", 9),
        ('shop == "\ud800"', "valid Unicode without NUL", 9),
        (f'shop == "{"x" * 401}"', "at most 400 characters", 9),
        ("x" * 200 + " == 1", "longer than 200", 1),
        ("a == 1 \x00", "is not understood", 8),
    ],
)
def test_an_error_names_the_position_of_the_mistake(text, reason, character):
    with pytest.raises(InvalidArgument) as caught:
        parse(text)

    assert reason in str(caught.value)
    assert str(caught.value).endswith(f", at character {character}")


def test_filters_have_limits():
    assert parse(" and ".join(["a == 1"] * MAX_TERMS))
    assert parse("(" * (MAX_DEPTH - 1) + "a == 1" + ")" * (MAX_DEPTH - 1))
    assert parse(f"a in [{','.join(['1'] * MAX_VALUES)}]")
    for text, reason in (
        (" and ".join(["a == 1"] * (MAX_TERMS + 1)), "more than 100 comparisons"),
        ("(" * MAX_DEPTH + "a == 1" + ")" * MAX_DEPTH, "more than 20 parentheses"),
        ("not " * MAX_DEPTH + "a == 1", "more than 20 parentheses"),
        (f"a in [{','.join(['1'] * (MAX_VALUES + 1))}]", "more than 500 values"),
        ("a == 1" + " " * MAX_LENGTH, "at most 8000"),
        ("(" * MAX_LENGTH, "more than 20 parentheses"),
    ):
        with pytest.raises(InvalidArgument, match=reason):
            parse(text)


WORDS = st.sampled_from(
    [
        *("a", "price", '"odd"', "'x'", '"\\n"', '"2026-01-01"', "é", "\ud800", "\0"),
        *("$id", "$created_at", "$format", "$nothing", "3", "-1.5", "1e400", "true", "null"),
        *("and", "or", "not", "in", "like", "contains", "exists", "(", ")", "[", "]", ",", "."),
        *("==", "!=", "<", "<=", ">", ">=", "=", "%", "\\", '"', "'"),
    ]
)


@settings(max_examples=500)
@example('a == "\\')
@example("a.")
@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map(" ".join)))
def test_any_text_gives_an_expression_or_an_invalid_argument(text):
    with suppress(InvalidArgument):
        parse(text)
