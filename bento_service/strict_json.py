"""A parser of untrusted JSON with limits on its depth and its number of values."""

import json
import math
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 32
"""Limit of nested lists and objects."""
MAX_VALUES = 250_000
"""Limit of a document's values, which take many times the memory of their text."""


class JsonError(ValueError):
    """Invalid or rejected JSON. The message is a predicate, for a subject such as `the body`."""


def read_json(text: str | bytes, *, lone_surrogates: bool = False) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The JSON text.
        lone_surrogates: If true, accept half surrogate pairs, by which Python writes those bytes of
            a file name that are not UTF-8.

    Raises:
        JsonError: It is no JSON, nests too deeply, holds too many values or half a surrogate pair.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # Each value but the first follows one of these characters, which also count in strings.
    opened = raw.count(b"[") + raw.count(b"{")
    if opened + raw.count(b",") > MAX_VALUES:
        raise JsonError(f"holds more than {MAX_VALUES} values")
    try:
        value = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise JsonError(_TOO_DEEP) from error
    except ValueError as error:
        raise JsonError("is not JSON") from error
    if opened > MAX_DEPTH:
        _check_depth(value)
    if not lone_surrogates and (b"\\u" in raw or b"\xed" in raw) and not is_unicode(value):
        raise JsonError("holds half a surrogate pair, which is not text")
    return value


def is_unicode(value: Any) -> bool:
    """Return true if no string in a JSON value has half a surrogate pair, which UTF-8 lacks."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


_TOO_DEEP = f"has more than {MAX_DEPTH} lists and objects inside each other"


def _check_depth(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _containers(parent)]
        if not level:
            return
    raise JsonError(_TOO_DEEP)


def _containers(value: Any) -> Iterator[Any]:
    """Yield the lists and objects in a list or an object."""
    children = value.values() if isinstance(value, dict) else value
    return (child for child in children if isinstance(child, dict | list))


def _finite(text: str) -> float:
    """Return the number of a text, or raise `ValueError` if it is too large, such as `1e999`."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are not JSON, and databases reject them
