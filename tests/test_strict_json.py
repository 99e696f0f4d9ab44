import json

import pytest

from bento_service.strict_json import MAX_DEPTH, MAX_VALUES, JsonError, read_json


@pytest.mark.parametrize("value", [None, 1, "é", [], {}, {"a": [1, {"b": None}]}, "[" * 100])
def test_small_documents_are_read(value):
    assert read_json(json.dumps(value)) == read_json(json.dumps(value).encode()) == value


def test_the_depth_is_limited():
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read_json(deepest)
    for deeper in (f"[{deepest}]", f'{{"a": {deepest}}}', "[" * 100_000, '{"a":' * 100_000):
        with pytest.raises(JsonError, match="inside each other"):
            read_json(deeper)


def test_the_number_of_values_is_limited():
    # All but the first follow a comma; the list itself is one too.
    assert len(read_json("[" + "1," * (MAX_VALUES - 2) + "1]")) == MAX_VALUES - 1
    for many in ("[" + "1," * MAX_VALUES + "1]", "[" + "[]," * MAX_VALUES + "[]]"):
        with pytest.raises(JsonError, match=f"more than {MAX_VALUES}"):
            read_json(many)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "'a'", b"\xff", "1" * 5000, "\0"])
def test_invalid_json_is_refused(text):
    with pytest.raises(JsonError, match="is not JSON"):
        read_json(text)
