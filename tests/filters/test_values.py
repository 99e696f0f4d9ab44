"""The values of metadata one by one."""

import pytest

from bento_service.errors import InvalidArgument
from bento_service.filters.values import (
    Attribute,
    Kind,
    attributes,
    check_metadata,
    elements,
    kind_of,
    place,
)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, Kind.NUMBER),
        (-0.5, Kind.NUMBER),
        (10**400, Kind.OTHER),
        (float("nan"), Kind.OTHER),
        (float("inf"), Kind.OTHER),
        (True, Kind.BOOLEAN),
        (None, Kind.NULL),
        ("", Kind.STRING),
        ("x" * 400, Kind.STRING),
        ("x" * 401, Kind.OTHER),
        ("a\0", Kind.OTHER),
        ("\udc80", Kind.OTHER),
        ([], Kind.OTHER),
        ({}, Kind.OTHER),
    ],
)
def test_a_value_is_of_one_kind(value, kind):
    assert kind_of(value) is kind


def test_every_value_is_found_at_its_place():
    metadata = {"a": 1, "b": {"c": "x", "d": [True, None, "y", {"deep": 1}]}, "e": "x" * 500}

    found = sorted(attributes(metadata), key=lambda one: (one.place, one.kind))

    assert found == [
        Attribute('["a"]', Kind.NUMBER, number=1.0),
        Attribute('["b","c"]', Kind.STRING, text="x"),
        Attribute('["b","d"]', Kind.OTHER),
        Attribute('["b","d"][]', Kind.BOOLEAN, number=1.0),
        Attribute('["b","d"][]', Kind.NULL),
        Attribute('["b","d"][]', Kind.OTHER),
        Attribute('["b","d"][]', Kind.STRING, text="y"),
        Attribute('["b"]', Kind.OTHER),
        Attribute('["e"]', Kind.OTHER),
    ]


def test_different_paths_are_different_places():
    paths = [("a", "b"), ("a.b",), ('a","b',), ("a", "b", ""), ("a", "[]"), ("a",), ("é",)]

    assert len({place(path) for path in paths} | {elements(path) for path in paths}) == 14


def test_places_that_are_too_long_are_left_out():
    deep = inner = {}
    for _ in range(5000):
        inner["k"] = {}
        inner = inner["k"]

    assert list(attributes({"x" * 300: 1})) == []
    assert max(len(one.place) for one in attributes(deep)) <= 200


def test_metadata_with_too_many_values_is_refused():
    check_metadata({str(number): number for number in range(1000)})
    with pytest.raises(InvalidArgument, match="more than 1000 values"):
        check_metadata({"a": list(range(1000))})


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"text": "x" * 65_536}, "at most 65536"),
        ({"text": "\N{GREEK SMALL LETTER ALPHA}" * 33_000}, "at most 65536"),
        ({"k" * 256: 1}, "has 256 characters; at most 255"),
        ({"a": [{"b": {"k" * 256: 1}}]}, "has 256 characters; at most 255"),
    ],
)
def test_metadata_that_is_too_long_is_refused_with_the_limit(metadata, said):
    with pytest.raises(InvalidArgument, match=said):
        check_metadata(metadata)


@pytest.mark.parametrize("metadata", [{"a": "\ud800"}, {"\udfff": 1}, {"a": [{"b": "\udc80"}]}])
def test_metadata_that_is_not_unicode_is_refused(metadata):
    with pytest.raises(InvalidArgument, match="half a surrogate pair"):
        check_metadata(metadata)


def test_metadata_may_be_as_long_as_the_limits_say():
    check_metadata({"k" * 255: "x" * 65_000})
