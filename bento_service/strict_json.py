"""JSON of strangers: read only as far as it is small in every way, not only in bytes."""

import json
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 32
"""Lists and objects inside each other."""
MAX_VALUES = 250_000
"""Values of one document: the memory that they take is many times that of their text."""


class JsonError(ValueError):
    """The text is not JSON that is read here. The message goes on after `the body` or a name."""


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        JsonError: It is no JSON, nests too deeply or holds too many values.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # Each value but the first follows one of these; those inside of strings count as well.
    opened = raw.count(b"[") + raw.count(b"{")
    if opened + raw.count(b",") > MAX_VALUES:
        raise JsonError(f"holds more than {MAX_VALUES} values")
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except RecursionError as error:
        raise JsonError(_TOO_DEEP) from error
    except ValueError as error:
        raise JsonError("is not JSON") from error
    if opened > MAX_DEPTH:
        _check_depth(value)
    return value


_TOO_DEEP = f"has more than {MAX_DEPTH} lists and objects inside each other"


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise JsonError(_TOO_DEEP)


def _inside(value: Any) -> Iterable[Any]:
    """What a list or an object holds that may hold something itself."""
    held: Iterable[Any] = ()
    if isinstance(value, dict):
        held = value.values()
    elif isinstance(value, list):
        held = value
    return (one for one in held if isinstance(one, dict | list))


def _no_constant(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are not JSON, and no database keeps them
