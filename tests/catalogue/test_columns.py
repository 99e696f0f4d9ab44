import pytest

from bento_service.catalogue.columns import stored_json


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ('{"a": [-Infinity, NaN, 1.5]}', {"a": [None, None, 1.5]}),
        (r'{"a": "\ud800", "\udfff": "\ud83d\ude00"}', {"a": "?", "?": "😀"}),
        ('{"é": "\N{HANGUL SYLLABLE HA}"}'.encode(), {"é": "\N{HANGUL SYLLABLE HA}"}),
    ],
)
def test_stored_json_is_read_as_answers_can_carry_it(stored, value):
    assert stored_json(stored) == value
