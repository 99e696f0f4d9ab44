import json
import os

import pytest

from bento_service.strict_json import MAX_DEPTH, MAX_VALUES, JsonError, read_json


@pytest.mark.parametrize("value", [None, 1, 1e308, "é", [], {}, {"a": [1, {"b": None}]}, "[" * 100])
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


@pytest.mark.parametrize("text", [r'"\ud800"', r'{"\uDFFF": 1}', '["\udc80"]', b'"\xed\xa0\x80"'])
def test_half_a_surrogate_pair_is_refused(text):
    with pytest.raises(JsonError, match="half a surrogate pair"):
        read_json(text)


def test_whole_surrogate_pairs_and_escaped_backslashes_are_read():
    assert read_json(r'["\ud83d\ude00", "\\ud800", "\u00e9"]') == ["😀", r"\ud800", "é"]
    assert read_json('"\N{HANGUL SYLLABLE HA}"') == "\N{HANGUL SYLLABLE HA}"


def test_a_name_of_a_file_may_have_bytes_that_are_not_utf_8():
    assert read_json(r'"caf\udce9"', lone_surrogates=True) == os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", "1e999", '{"a": -1.5E400}', "'a'", b"\xff", "1" * 5000, "\0"],
)
def test_invalid_json_is_refused(text):
    with pytest.raises(JsonError, match="is not JSON"):
        read_json(text)
